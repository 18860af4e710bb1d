"""Starts cheroot, whose command line has no TLS and no limit of kept-alive connections.

usage: serve_cheroot.py MODULE:CALLABLE PORT THREADS CONNECTIONS [CERTIFICATE KEY]
CONNECTIONS is how many may be kept alive; 0 for as many as the harness's clients ever open.
"""

import importlib
import sys

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

# Of its own it keeps 10 connections and closes all others.
KEPT = 1024


def serve(app, port, threads, connections, tls):
    server = wsgi.Server(
        ("127.0.0.1", port),
        app,
        numthreads=threads,
        max=threads,
        request_queue_size=2048,
        # By default 10 s; a client that is asked to wait longer says so.
        timeout=75 if connections else 10,
    )
    server.keep_alive_conn_limit = connections or KEPT
    if tls:
        server.ssl_adapter = BuiltinSSLAdapter(*tls)
    server.safe_start()


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    loaded = getattr(importlib.import_module(module), name)
    serve(loaded, *(int(arg) for arg in sys.argv[2:5]), sys.argv[5:7])
