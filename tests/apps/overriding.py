"""Worker classes with methods of their own where Gunicorn calls them for every request."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.workers import base
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker


class Sync(SyncWorker):
    """As seen in the wild: adds a header that says something of the connection."""

    def handle_request(self, listener, req, client, addr):
        req.headers.append(("X-PEER-CERT", str(hasattr(client, "getpeercert"))))
        req.headers = [*req.headers, ("X-ADDED", f"{type(listener).__name__} {req.method}")]
        super().handle_request(listener, req, client, addr)


class Errors(SyncWorker):
    """Is told of failures only."""

    def handle_error(self, req, client, addr, exc):
        self.log.info("told of %s", type(exc).__name__)
        super().handle_error(req, client, addr, exc)


class Waits(SyncWorker):
    """Looks at each connection before and after."""

    def handle(self, listener, client, addr):
        self.log.info("begin")
        super().handle(listener, client, addr)
        self.log.info("end of %s", client)


class Threads(ThreadWorker):
    """A pool of its own, and a header."""

    def get_thread_pool(self):
        return ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="mine")

    def handle_request(self, req, conn):
        req.headers.append(("X-ADDED", f"{conn.server[1]} {conn.client[0]}"))
        return super().handle_request(req, conn)

    def murder_keepalived(self):
        super().murder_keepalived()


class OwnLoop(base.Worker):
    """A loop of its own around Gunicorn's parser, as tutorials write it."""

    def run(self):
        (listener,) = self.sockets
        listener.setblocking(True)
        listener.settimeout(0.2)
        while self.alive:
            self.notify()
            try:
                client, addr = listener.accept()
            except TimeoutError:
                continue
            client.settimeout(5)
            with client:
                self.serve(listener, client, addr)

    def serve(self, listener, client, addr):
        parser = RequestParser(self.cfg, client, addr)
        req = None
        try:
            req = next(parser)
            self.nr += 1
            resp, environ = wsgi.create(req, client, addr, listener.getsockname(), self.cfg)
            resp.force_close()
            respiter = self.wsgi(environ, resp.start_response)
            for item in respiter:
                resp.write(item)
            resp.close()
        except StopIteration:
            return
        except Exception as exc:
            self.handle_error(req, client, addr, exc)


def app(environ, start_response):
    """What it was given, as JSON."""
    if environ["PATH_INFO"] == "/raise":
        raise RuntimeError("broken")
    seen = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
    seen["body"] = environ["wsgi.input"].read().decode()
    seen["thread"] = threading.current_thread().name
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
