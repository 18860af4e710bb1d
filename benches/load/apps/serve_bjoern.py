"""Starts bjoern. It has no command line; workers are forked the way its README shows.

usage: serve_bjoern.py MODULE:CALLABLE PORT WORKERS
"""

import importlib
import os
import signal
import sys

import bjoern


def serve(app, port, workers):
    bjoern.listen(app, "127.0.0.1", port)
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
    module, _, name = sys.argv[1].partition(":")
    loaded = getattr(importlib.import_module(module), name)
    try:
        serve(loaded, int(sys.argv[2]), int(sys.argv[3]))
    except KeyboardInterrupt:
        sys.exit(0)
