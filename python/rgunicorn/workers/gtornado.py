"""The tornado worker: Tornado's own server and event loop on our listeners.

Tornado applications run as they are, WSGI applications in Tornado's `WSGIContainer`, which runs
them one at a time on the loop. Parsing, limits and logging are Tornado's: as in Gunicorn there is
no access log and there are no `pre_request` and `post_request` hooks.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from urllib.parse import unquote_to_bytes

from rgunicorn import _core, sock
from rgunicorn.errors import missing_package
from rgunicorn.workers import base, counting, parting, recycling, timekeeping
from rgunicorn.workers.heralds import Herald
from rgunicorn.workers.naming import Names

try:
    from tornado import httputil
    from tornado.httpserver import HTTPServer
    from tornado.ioloop import IOLoop, PeriodicCallback
    from tornado.iostream import SSLIOStream
    from tornado.wsgi import WSGIContainer
except ImportError as exc:
    raise missing_package("tornado", "tornado", exc) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from rgunicorn._core import Flight

# Between two looks at the master, and two heartbeats.
_LOOK_MS = 1000
# Between two looks at whether the last request is done.
_DRAIN_SECONDS = 0.05


class TornadoWorker(base.Worker):
    """Serves with `tornado.httpserver.HTTPServer`."""

    server: Server
    ioloop: IOLoop

    def init_process(self) -> None:
        # Before the application is loaded: it may start callbacks on the current loop.
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self.ioloop = IOLoop.current()
        self._stopping = asyncio.Event()
        if self.cfg.is_ssl:
            # While the key can be read, and before the worker says that it is ready.
            self._context = sock.ssl_context(self.cfg)
        super().init_process()

    @classmethod
    def times_requests(cls) -> bool:
        return True

    @classmethod
    def names_requests(cls) -> bool:
        return True

    def run(self) -> None:
        """Serves until the worker is told to stop, then finishes the requests that it has."""
        self.timekeeper = _core.Timekeeper.of(self)
        counting.opens(self)
        self.server = self._make_server()
        self.server.add_sockets([listener.sock for listener in self.sockets])
        # Every signal handler of Python's writes to it, and so does the reloader.
        self.ioloop.add_handler(self.PIPE[0], self._woken, IOLoop.READ)
        PeriodicCallback(self._look, _LOOK_MS).start()
        self.notify()
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def handle_request(self) -> None:
        """Counts a request; called when its head is there."""
        self.nr += 1
        if recycling.count(self):
            self.alive = False
            self._stopping.set()

    def _make_server(self) -> Server:
        app: Any = self.wsgi
        if not isinstance(app, httputil.HTTPServerConnectionDelegate):
            app = Container(app)
        options: dict[str, Any] = {"no_keep_alive": self.cfg.keepalive <= 0}
        if self.cfg.is_ssl:
            options["ssl_options"] = self._context
        server = Server(app, **options)
        server.worker = self
        server.names = Names.of(self.cfg)
        return server

    async def _serve(self) -> None:
        if not self.alive:
            self._stopping.set()
        await self._stopping.wait()
        self.server.promises_nothing()
        now = time.monotonic()
        end = now + self.cfg.graceful_timeout
        # Those that have no request now: until they may be closed.
        idle_end = min(end, now + min(parting.PARTING, self.cfg.keepalive or parting.PARTING))
        parting.sweep(self, self.server.let_in, end)
        self.server.stop()
        while (now := time.monotonic()) < end:
            if not (self.server.busy or self.server.has_connections() and now < idle_end):
                break
            self.notify()
            await asyncio.sleep(_DRAIN_SECONDS)
        await self.server.close_all_connections()

    def _woken(self, fd: Any, events: int) -> None:
        os.read(self.PIPE[0], 4096)
        if not self.alive:
            self._stopping.set()

    def _look(self) -> None:
        self.notify()
        self.server.end_overdue()
        if parting.course(self) != "serving":
            self.server.promises_nothing()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        if not self.alive:
            self._stopping.set()


class Container(WSGIContainer):
    """Tornado's, with what moves the deadline of a request in the environ."""

    def environ(self, request: httputil.HTTPServerRequest) -> dict[str, Any]:
        environ: dict[str, Any] = super().environ(request)
        name = getattr(request.connection, "rgunicorn_request_id", None)
        if name is not None:
            environ["rgunicorn.request_id"] = name
        deadline = getattr(request.connection, "rgunicorn_deadline", None)
        if deadline is not None:
            environ["rgunicorn.deadline"] = deadline
        connection = getattr(request.connection, "stream", None)
        if isinstance(connection, SSLIOStream):
            # Where it is not used, `ssl` is not worth its memory.
            from rgunicorn import tls

            environ.update(tls.connection_environ(connection.socket))
        return environ


class Server(HTTPServer):
    """Tornado's server, which knows the connections that have a request."""

    worker: TornadoWorker

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self.busy: dict[object, Flight | None] = {}
        # What is to be counted of them, with Tornado's part of their connection.
        self._bills: dict[object, tuple[counting.Bill, Any]] = {}
        # Says what requests are called, if they have names.
        self.names: Names | None = None
        # Requests that somebody looks at, with Tornado's part of their connection.
        self._timed: dict[object, tuple[_core.Timed, Any]] = {}

    def promises_nothing(self) -> None:
        """From here on every response says that its connection ends."""
        self.conn_params.no_keep_alive = True

    def let_in(self, listener: Any) -> bool:
        """Takes one connection; whether there was one."""
        try:
            client, addr = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        client.setblocking(False)
        self._handle_connection(client, addr)
        return True

    def has_connections(self) -> bool:
        """Whether there is anybody, busy or not."""
        return bool(self._connections)

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        # Tornado asks when it begins to wait for a request, so the one before is answered.
        self._done(server_conn)
        delegate = super().start_request(server_conn, request_conn)
        return _Counted(self, server_conn, request_conn, delegate)

    def on_close(self, server_conn: object) -> None:
        self._done(server_conn)
        super().on_close(server_conn)

    def begin(self, server_conn: object, connection: Any, flight: Flight | None) -> None:
        """A connection has a request. Arguments as for `enter`."""
        self._done(server_conn)
        self.busy[server_conn] = flight
        self._bills[server_conn] = counting.Bill(self.worker, flight), connection
        connection.rgunicorn_status = counting.CLIENT_LEFT
        write = connection.write_headers
        connection.write_headers = functools.partial(_write_headers, None, connection, write)

    def enter(self, server_conn: object, connection: Any, line: Any, headers: Any) -> None:
        """A request is complete and goes to the application.

        Args:
            server_conn, connection: Tornado's two parts of its connection.
            line: its first line.
            headers: its fields.
        """
        if self.worker.timekeeper is None or connection.stream.closed():
            return
        path, _, query = line.path.partition("?")
        decoded = unquote_to_bytes(path).decode("latin-1")
        version = line.version.removeprefix("HTTP/")
        peer = str(connection.context.remote_ip or "")
        name = getattr(connection, "rgunicorn_request_id", None)
        fields = [line.method, line.path, decoded, query, version, peer, "", name or ""]
        for pair in headers.get_all():
            fields += pair
        own, secured = connection.stream.socket, isinstance(connection.stream, SSLIOStream)
        road = Herald(self.worker.ioloop.add_callback, own) if secured else True
        timed = timekeeping.watch(self.worker, own, road, fields, self.busy.get(server_conn))
        if timed is None:
            return
        self._timed[server_conn] = timed, connection
        self._bills[server_conn][0].timed = timed
        connection.rgunicorn_deadline = timed.deadline
        write = connection.write_headers
        connection.write_headers = functools.partial(_write_headers, timed, connection, write)

    def end_overdue(self) -> None:
        """Ends connections whose clients have been told that they took too long."""
        for timed, connection in list(self._timed.values()):
            if timed.is_told:
                connection.stream.close()

    def _done(self, server_conn: object) -> None:
        if server_conn in self._bills:
            bill, connection = self._bills.pop(server_conn)
            bill.answer(connection.rgunicorn_status, of_app=False)
        timed, _ = self._timed.pop(server_conn, (None, None))
        if timed is not None:
            timed.end()
        flight = self.busy.pop(server_conn, None)
        if flight is not None:
            flight.end()


def _write_headers(
    timed: _core.Timed | None,
    connection: Any,
    write: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Tornado's own, for a request that somebody looks at, and that is counted."""
    connection.rgunicorn_status = getattr(args[0], "code", counting.CLIENT_LEFT)
    if timed is not None and not timed.speak():
        # Whatever is written to a closed stream is forgotten, in Tornado's own way.
        connection.stream.close()
    return write(*args, **kwargs)


def _write_named(
    write: Callable[..., Any], field: tuple[str, str], *args: Any, **kwargs: Any
) -> Any:
    # After the first line.
    headers = args[1] if len(args) > 1 else kwargs["headers"]
    if field[0] not in headers:
        headers[field[0]] = field[1]
    return write(*args, **kwargs)


class _Counted(httputil.HTTPMessageDelegate):
    """Tells the server that the head of a request has come, and passes everything on."""

    def __init__(
        self,
        server: Server,
        connection: object,
        request_conn: httputil.HTTPConnection,
        delegate: httputil.HTTPMessageDelegate,
    ) -> None:
        self._server = server
        self._connection = connection
        self._request_conn = request_conn
        self._context = getattr(request_conn, "context", None)
        self._delegate = delegate
        self._head: tuple[Any, Any] | None = None

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        self._name(headers)
        flight = self._depart(start_line, headers)
        self._server.begin(self._connection, self._request_conn, flight)
        self._server.worker.handle_request()
        self._head = start_line, headers
        return self._delegate.headers_received(start_line, headers)

    def _name(self, headers: httputil.HTTPHeaders) -> None:
        """Gives the request its name, in place of what its client may have called it."""
        names = self._server.names
        if names is None:
            return
        header = names.header
        name = names.name(getattr(self._context, "address", None), headers.get_list(header))
        if header in headers:
            del headers[header]
        if name is not None:
            headers[header] = name
            connection: Any = self._request_conn
            connection.rgunicorn_request_id = name
            write = connection.write_headers
            connection.write_headers = functools.partial(_write_named, write, (header, name))

    def _depart(self, start_line: Any, headers: httputil.HTTPHeaders) -> Flight | None:
        box = self._server.worker.blackbox
        if box is None or box.flights is None:
            return None
        path = start_line.path.partition("?")[0]
        version = (1, 0) if start_line.version == "HTTP/1.0" else (1, 1)
        peer = getattr(self._context, "remote_ip", "") or ""
        header = self._server.worker.cfg.request_id_header or "X-Request-ID"
        request_id = headers.get(header, "")
        return box.flights.begin(start_line.method, path, version, peer, request_id)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        if self._head is not None:
            self._server.enter(self._connection, self._request_conn, *self._head)
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
