"""The gevent workers: a greenlet for each connection.

`gevent` reads requests with the core's parser, as all our workers do. `gevent_pywsgi` leaves that to
gevent's own server.
"""

from __future__ import annotations

import functools
import time
from datetime import datetime

_NEEDED = (24, 10, 1)
_WORDS = "gevent worker requires gevent 24.10.1 or higher"

try:
    import gevent
except ImportError as exc:
    raise RuntimeError(f"{_WORDS}: pip install 'gevent>=24.10.1'") from exc
if gevent.version_info[:3] < _NEEDED:
    raise RuntimeError(f"{_WORDS}, not {gevent.__version__}: pip install -U gevent")

from gevent import hub, monkey, pywsgi  # noqa: E402
from gevent import socket as gsocket  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

import rgunicorn  # noqa: E402
from rgunicorn.http.wsgi import base_environ  # noqa: E402
from rgunicorn.workers import exchange  # noqa: E402
from rgunicorn.workers.base_async import AsyncWorker  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

VERSION = f"gevent/{gevent.__version__} {rgunicorn.SERVER_SOFTWARE}"

# Seconds that a client which was promised another request has for it when the worker leaves.
PARTING = 2.0


class GeventWorker(AsyncWorker):
    """Serves up to `worker_connections` connections, each in a greenlet."""

    # A server of gevent's that does all of HTTP, and the class that handles its requests.
    server_class: Any = None
    wsgi_handler: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._alive = True
        self._leaving: Event | None = None
        # Greenlets that wait for a request on a connection that has had one.
        self._idle: set[Any] = set()

    @property
    def alive(self) -> bool:
        """Whether the worker goes on. Assigned by signal handlers, hooks and `max_requests`."""
        return self._alive

    @alive.setter
    def alive(self, value: bool) -> None:
        self._alive = value
        leaving = getattr(self, "_leaving", None)
        if not value and leaving is not None:
            leaving.set()

    def patch(self) -> None:
        """Makes the standard library and our listeners gevent's. Overrides call it and go on with
        what they want to be patched too."""
        monkey.patch_all()
        for listener in self.sockets:
            sock = listener.sock
            if not isinstance(sock, gsocket.socket):
                family, kind = sock.family, sock.type
                listener.sock = gsocket.socket(family, kind, fileno=sock.detach())

    def init_process(self) -> None:
        self.patch()
        hub.reinit()
        self._leaving = Event()
        super().init_process()

    def run(self) -> None:
        """Serves until the worker is told to stop, then until its requests are done, for
        `graceful_timeout` seconds at most."""
        assert self._leaving is not None, "init_process comes first"
        servers = [self._server(listener) for listener in self.sockets]
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self._leaving.wait(1.0)

        for server in servers:
            server.close()
        now = time.monotonic()
        deadline, parting = now + self.cfg.graceful_timeout, now + min(PARTING, self.cfg.keepalive)
        while any(len(server.pool) for server in servers):
            self.notify()
            now = time.monotonic()
            if now >= deadline:
                self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
                break
            if now >= parting:
                gevent.killall(list(self._idle), block=False)
            moment = min(1.0, deadline - now, parting - now if now < parting else 1.0)
            for server in servers:
                server.pool.join(timeout=moment)
        for server in servers:
            server.stop(timeout=1)

    def _server(self, listener: Any) -> Any:
        listener.setblocking(True)
        pool = Pool(self.worker_connections)
        tls = {"ssl_context": self._ssl_context()} if self.cfg.is_ssl else {}
        if self.server_class is not None:
            environ = base_environ(self.cfg)
            environ |= {"wsgi.multithread": True, "SERVER_SOFTWARE": VERSION}
            return self.server_class(
                listener,
                application=self.wsgi,
                spawn=pool,
                log=self.log,
                handler_class=self.wsgi_handler,
                environ=environ,
                **tls,
            )
        server = StreamServer(
            listener, handle=functools.partial(self.handle, listener), spawn=pool, **tls
        )
        if self.cfg.workers > 1:
            # Leave some for the others.
            server.max_accept = 1
        return server

    def _ssl_context(self) -> Any:
        from rgunicorn.sock import ssl_context

        return ssl_context(self.cfg)

    def timeout_ctx(self) -> Any:
        return gevent.Timeout(self.cfg.keepalive, False)

    def head_ctx(self) -> Any:
        return gevent.Timeout(self.cfg.client_header_timeout or None, False)

    def next_request(self, parser: Any, client: Any) -> Any:
        client.settimeout(self.cfg.client_body_timeout or None)
        if not parser.req_count:
            return super().next_request(parser, client)
        greenlet = gevent.getcurrent()
        self._idle.add(greenlet)
        try:
            return super().next_request(parser, client)
        finally:
            self._idle.discard(greenlet)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        sock.settimeout(self.cfg.client_write_timeout or None)
        return super().handle_request(listener_name, req, sock, addr)

    # The hub must not wait, and a handler may run in it.

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        gevent.spawn(super().handle_quit, sig, frame)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        gevent.spawn(super().handle_usr1, sig, frame)


class GeventResponse:
    """A response as the access log sees it.

    Args:
        status: the status line's text.
        headers: pairs.
        clength: bytes of body sent.
    """

    def __init__(self, status: Any, headers: Any, clength: int | None) -> None:
        self.status = status
        self.headers = headers
        self.sent = clength


class PyWSGIHandler(pywsgi.WSGIHandler):
    """Handles the requests of `PyWSGIServer`."""

    def log_request(self) -> None:
        """Writes the access line by the worker's logger."""
        started = datetime.fromtimestamp(self.time_start)
        finished = datetime.fromtimestamp(self.time_finish or time.time())
        status = self.status
        if isinstance(status, bytes):
            status = status.decode("latin-1")
        resp = GeventResponse(
            status, getattr(self, "response_headers", None) or [], self.response_length
        )
        headers = self.headers.items() if getattr(self, "headers", None) else []
        environ = getattr(self, "environ", None) or {}
        self.server.log.access(resp, list(headers), environ, finished - started)

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["gunicorn.sock"] = self.socket
        environ["RAW_URI"] = self.path
        return environ


class PyWSGIServer(pywsgi.WSGIServer):
    """gevent's WSGI server on one of our listeners."""


class GeventPyWSGIWorker(GeventWorker):
    """Serves by gevent's own WSGI server."""

    server_class = PyWSGIServer
    wsgi_handler = PyWSGIHandler
