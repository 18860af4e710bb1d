"""What the gevent tests serve, and worker classes of the kind people derive from gevent's."""

from __future__ import annotations

import json
import logging
import os
import time

import gevent
from gunicorn.workers.base_async import ALREADY_HANDLED
from gunicorn.workers.ggevent import GeventWorker


class Patching(GeventWorker):
    """Patches more than the standard library; waits for a file in it if told so."""

    def patch(self):
        self.log.info("in patch")
        while gate := os.environ.get("PATCH_GATE"):
            if os.path.exists(gate):
                break
            time.sleep(0.05)
        super().patch()
        self.log.info("patched %s", time.sleep.__module__)


class Adding(GeventWorker):
    """Adds a header that says something of the connection."""

    def handle_request(self, listener_name, req, sock, addr):
        req.headers.append(("X-ADDED", f"{listener_name[1]} {addr[0]}"))
        return super().handle_request(listener_name, req, sock, addr)


class Counted(list):
    """A response whose end is told."""

    def close(self):
        print("closed", flush=True)


def app(environ, start_response):
    """One little app for each path."""
    path = environ["PATH_INFO"]
    if path == "/who":
        seen = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
        seen["pid"] = os.getpid()
        seen["sleep"] = time.sleep.__module__
        seen["socks"] = [key for key in environ if key in ("gunicorn.sock", "gunicorn.socket")]
        body = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return Counted([body])
    if path == "/gate":
        print("in the gate", flush=True)
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.02)
        start_response("200 OK", [])
        return [b"through"]
    if path == "/lock":
        # As when SystemExit is raised at the beginning of `Handler.release`.
        for name in ("gunicorn.error", "gunicorn.access"):
            gevent.spawn(logging.getLogger(name).handlers[0].acquire).join()
        os.kill(os.getpid(), int(environ["QUERY_STRING"]))
        gevent.sleep(600)
    if path == "/own":
        environ["gunicorn.socket"].sendall(b"all mine")
        return ALREADY_HANDLED
    if path == "/boom":
        raise RuntimeError("out of luck")
    start_response("404 Not Found", [("Content-Length", "0")])
    return []
