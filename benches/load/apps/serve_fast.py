"""Starts FastPySGI or FastWSGI, whose command lines have no flag for workers.

usage: serve_fast.py fastpysgi|fastwsgi MODULE:CALLABLE PORT WORKERS
"""

import importlib
import sys

if __name__ == "__main__":
    fast = importlib.import_module(sys.argv[1])
    module, _, name = sys.argv[2].partition(":")
    app = getattr(importlib.import_module(module), name)
    fast.server.backlog = 2048
    port, workers = (int(arg) for arg in sys.argv[3:5])
    fast.run(app, "127.0.0.1", port, loglevel=fast.LL_ERROR, workers=workers)
