"""Starts bjoern on hello:app. It has no command line; workers are forked the way its README shows.

usage: serve_bjoern.py PORT WORKERS
"""

import os
import signal
import sys

import bjoern
import hello


def serve(port, workers):
    bjoern.listen(hello.app, "127.0.0.1", port)
    if workers == 1:
        bjoern.run()
        return
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            bjoern.run()
            os._exit(0)
        children.append(child)
    try:
        os.wait()
    finally:
        for child in children:
            os.kill(child, signal.SIGINT)


if __name__ == "__main__":
    try:
        serve(*(int(arg) for arg in sys.argv[1:3]))
    except KeyboardInterrupt:
        sys.exit(0)
