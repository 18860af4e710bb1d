"""Starts FastPySGI on hello:app. Its own command line has no flag for workers.

usage: serve_fastpysgi.py PORT WORKERS
"""

import sys

import fastpysgi
import hello

if __name__ == "__main__":
    port, workers = (int(arg) for arg in sys.argv[1:3])
    fastpysgi.run(hello.app, "127.0.0.1", port, loglevel=fastpysgi.LL_ERROR, workers=workers)
