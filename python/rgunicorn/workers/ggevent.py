"""The gevent workers: a greenlet for each connection.

`gevent` reads requests with the core's parser, as all our workers do. `gevent_pywsgi` leaves that
to gevent's own server (`gevent_server`).
"""

from __future__ import annotations

import functools
import os
import re
import time

from rgunicorn import sock, tls
from rgunicorn.errors import ConfigError, missing_package
from rgunicorn.http import banner
from rgunicorn.http.wsgi import base_environ
from rgunicorn.workers import counting, exchange, naming
from rgunicorn.workers.base_async import AsyncWorker
from rgunicorn.workers.parting import PARTING, bar, has_heirs

_NEEDED = (24, 10, 1)

try:
    import gevent
    from gevent import hub, monkey
    from gevent import socket as gsocket
    from gevent.event import Event
    from gevent.pool import Pool
    from gevent.server import StreamServer
except ImportError as exc:
    raise missing_package("gevent", "gevent", exc) from None
# `gevent.version_info` is not kept up to date.
if tuple(int(n) for n in re.findall(r"\d+", gevent.__version__)[:3]) < _NEEDED:
    raise ConfigError(
        f"gevent worker requires gevent 24.10.1 or higher, and this is {gevent.__version__}. "
        "Install it with `pip install -U gevent`, in the same environment."
    )


# They need gevent, too.
from rgunicorn.workers.gevent_server import (  # noqa: E402
    GeventResponse,
    PyWSGIHandler,
    PyWSGIServer,
    pywsgi,
)
from rgunicorn.workers.greenlets import Greenlets, log_kept_free  # noqa: E402
from rgunicorn.workers.heralds import Herald  # noqa: E402

# What Gunicorn's module has, too.
__all__ = [
    "GeventPyWSGIWorker",
    "GeventResponse",
    "GeventWorker",
    "PyWSGIHandler",
    "PyWSGIServer",
    "pywsgi",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from rgunicorn.workers.heralds import Road


class _Door:
    """A listener that knows its name even when it has been closed: connections that came in just
    before begin to be served after."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener
        self._name = listener.getsockname()

    def getsockname(self) -> Any:
        return self._name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


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

    @classmethod
    def speaks_uwsgi(cls) -> bool:
        # A server of gevent's knows HTTP only.
        return cls.server_class is None

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

    def notify(self) -> None:
        """Tells the master that this worker lives, or learns that there is no master any more: then
        it is to leave, as after TERM."""
        super().notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        if self.timekeeper is not None:
            self.timekeeper.end_overdue(self.log)

    @classmethod
    def times_requests(cls) -> bool:
        return cls.server_class is None

    @classmethod
    def names_requests(cls) -> bool:
        return cls.server_class is None or issubclass(cls.wsgi_handler, PyWSGIHandler)

    @classmethod
    def serves_files(cls) -> bool:
        return True

    def patch(self) -> None:
        """Makes the standard library and our listeners gevent's. Overrides call it and go on with
        what they want to be patched too."""
        monkey.patch_all()
        for listener in self.sockets:
            plain = listener.sock
            if not isinstance(plain, gsocket.socket):
                family, kind = plain.family, plain.type
                listener.sock = gsocket.socket(family, kind, fileno=plain.detach())

    def init_process(self) -> None:
        self.patch()
        hub.reinit()
        self._leaving = Event()
        if self.cfg.is_ssl:
            # Once, while the key can be read, and before the worker says that it is ready.
            _ = self._context
        with log_kept_free():
            super().init_process()

    @functools.cached_property
    def _context(self) -> Any:
        own = self.server_class is None
        return tls.server_context(self.cfg) if own else tls.make_context(self.cfg)

    def run(self) -> None:
        """Serves until the worker is told to stop, then until its requests are done, for
        `graceful_timeout` seconds at most."""
        assert self._leaving is not None, "init_process comes first"
        self.put_files_first()
        self.timekeeper = Greenlets.of(self)
        if self.server_class is None:
            numbers = ["app", "running", "exception", "refused"]
            counting.opens(self, *numbers, room=self.worker_connections)
        elif issubclass(self.wsgi_handler, PyWSGIHandler):
            counting.opens(self, room=self.worker_connections)
        servers = [self._server(listener) for listener in self.sockets]
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self._leaving.wait(1.0)

        for server in servers:
            server.stop_accepting()
        now = time.monotonic()
        deadline, parting = now + self.cfg.graceful_timeout, now + min(PARTING, self.cfg.keepalive)
        # Who waits at these has nobody else.
        waiting = [] if has_heirs(self) else servers
        # Until here who has begun to come may arrive. None: others may still begin.
        settled: float | None = None
        while True:
            self.notify()
            left = [server for server in waiting if self._let_in(server)]
            if waiting and not left:
                if settled is None:
                    settled = time.monotonic() + bar(self)
                    continue
                if time.monotonic() < settled:
                    gevent.sleep(0.01)
                    continue
            waiting = left
            for server in servers:
                if server not in waiting and not server.closed:
                    server.close()
            now = time.monotonic()
            if not waiting and not any(len(server.pool) for server in servers):
                break
            if now >= deadline:
                self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
                break
            if now >= parting:
                gevent.killall(list(self._idle), block=False)
            moment = min(1.0, deadline - now, parting - now if now < parting else 1.0)
            for server in waiting:
                server.pool.wait_available(timeout=moment)
            for server in servers:
                if not waiting:
                    server.pool.join(timeout=moment)
        for server in servers:
            server.stop(timeout=1)

    def _let_in(self, server: Any) -> bool:
        """On the way out: takes who waits, as far as there is room; whether others may wait."""
        while not server.full():
            came = server.do_read()
            if came is None:
                return False
            server.do_handle(*came)
        return True

    def _server(self, listener: Any) -> Any:
        listener.setblocking(True)
        pool = Pool(self.worker_connections)
        if self.server_class is not None:
            environ = base_environ(self.cfg)
            environ |= {"wsgi.multithread": True, "SERVER_SOFTWARE": _software()}
            server = self.server_class(
                listener,
                application=self.wsgi,
                spawn=pool,
                log=self.log,
                handler_class=self.wsgi_handler,
                environ=environ,
                **({"ssl_context": self._context} if self.cfg.is_ssl else {}),
            )
            server.blackbox = self.blackbox
            server.worker = self
            server.names = naming.Names.of(self.cfg)
            return server
        server = StreamServer(
            listener, handle=functools.partial(self._handle, _Door(listener)), spawn=pool
        )
        if self.cfg.workers > 1:
            # Leave some for the others.
            server.max_accept = 1
        return server

    def _handle(self, listener: Any, client: Any, addr: Any) -> None:
        if self.cfg.is_ssl:
            client = self._shake_hands(client, addr)
        if client is not None:
            self.handle(listener, client, addr)

    def _shake_hands(self, client: Any, addr: Any) -> Any:
        """The TLS socket over `client`; None when its peer does not get there in time."""
        limit = self.cfg.keepalive or self.cfg.client_header_timeout or None
        try:
            with gevent.Timeout(limit, False):
                client = sock.ssl_wrap_socket(client, self.cfg)
                client.do_handshake()
                return client
        except OSError as exc:
            exchange.report_failure(self, None, client, addr, exc)
        # Not at once: what the client has sent after its part would reset the connection, and it
        # would never see the alert that says why.
        exchange.part(client, clean=False)
        return None

    def herald(self, sock: Any) -> Road:
        return Herald(gevent.get_hub().loop.run_callback_threadsafe, sock)

    def timeout_ctx(self) -> Any:
        return gevent.Timeout(self.cfg.keepalive, False)

    def head_ctx(self) -> Any:
        return gevent.Timeout(self.cfg.client_header_timeout or None, False)

    def next_request(self, parser: Any, client: Any) -> Any:
        # The block around this has its limit.
        client.settimeout(None)
        if not parser.req_count:
            return super().next_request(parser, client)
        greenlet = gevent.getcurrent()
        self._idle.add(greenlet)
        try:
            return super().next_request(parser, client)
        finally:
            self._idle.discard(greenlet)

    def handle_request(self, listener_name: Any, req: Any, client: Any, addr: Any) -> bool:
        client.settimeout(exchange.patience(self.cfg))
        return super().handle_request(listener_name, req, client, addr)

    # The hub must not wait, and a handler may run in it.

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        gevent.spawn(super().handle_quit, sig, frame)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        gevent.spawn(super().handle_usr1, sig, frame)


def _software() -> str:
    return f"gevent/{gevent.__version__} {banner.software()}"


class GeventPyWSGIWorker(GeventWorker):
    """Serves by gevent's own WSGI server."""

    server_class = PyWSGIServer
    wsgi_handler = PyWSGIHandler
