"""What stands between uvicorn and an ASGI application.

Hooks, the access log, and the end of applications whose client has left; `asgi_rules` judges the
head of a request. uvicorn parses and writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from http import HTTPStatus

from rgunicorn.workers import counting, parting
from rgunicorn.workers.asgi_exchange import Exchange, environ_of, request_of, text_of
from rgunicorn.workers.asgi_rules import Refused, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from rgunicorn._core import Flight
    from rgunicorn.workers.gasgi import ASGIWorker

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Scope = dict[str, Any]


# What uvicorn answers to a WebSocket handshake that is not accepted.
_FORBIDDEN = 403


class Front:
    """The ASGI application that uvicorn calls.

    Args:
        worker: with its application, configuration and logger.
    """

    def __init__(self, worker: ASGIWorker) -> None:
        cfg = worker.cfg
        self.worker = worker
        self._app = worker.wsgi
        self._log: Any = worker.log
        self._rules = Rules(cfg)
        self._root_path: str = cfg.root_path
        self._closes = cfg.keepalive <= 0
        self._pre_request = _used(cfg, "pre_request")
        self._post_request = _used(cfg, "post_request")
        # A logger of the user's may count requests without writing any line.
        self._logs = self._log.access_log_enabled or _has_own_access(self._log)
        self._grace_seconds: float = cfg.asgi_disconnect_grace_period
        # Requests inside the application, by the identity of their scope.
        self._running: dict[int, asyncio.Task[Any]] = {}
        self._given_up: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        self.worker.count_request()
        is_http = scope["type"] == "http"
        try:
            self._rules.apply(scope)
        except Refused as refused:
            counting.refuse(self.worker, refused.status if is_http else _FORBIDDEN)
            await _answer(send, refused, is_http)
            return
        if self._root_path:
            scope["root_path"] = self._root_path
        await (self._http if is_http else self._websocket)(scope, receive, send)

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for answers any more."""
        return self.worker.exit_code is not None

    def client_left(self, scope: Scope) -> None:
        """Gives the application `asgi_disconnect_grace_period` seconds to end this request.

        It is told by `http.disconnect` as well, but only if it asks.
        """
        key = id(scope)
        task = self._running.get(key)
        if task is not None:
            asyncio.get_running_loop().call_later(self._grace_seconds, self._give_up, key, task)

    def _give_up(self, key: int, task: asyncio.Task[Any]) -> None:
        # The scope may be gone and its identity another request's.
        if self._running.get(key) is task:
            self._given_up.add(key)
            task.cancel()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = id(scope)
        task = asyncio.current_task()
        assert task is not None
        self._running[key] = task
        request = None
        flight = self._depart(scope)
        bill = counting.Bill(self.worker, flight)
        send = self._heading(scope, _counted(send, bill), flight)
        # Whoever says nothing is answered with 500 by uvicorn, as long as somebody is there.
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            if self._logs or self._pre_request or self._post_request:
                request = request_of(scope)
                exchange = Exchange(request, scope["method"] == "HEAD", send)
                send = exchange.send
            if self._pre_request:
                self._pre_request(self.worker, request)
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if key not in self._given_up:
                raise
            status = counting.CLIENT_LEFT
            self._log.debug("Request given up, its client has left: %s", scope["path"])
        finally:
            del self._running[key]
            self._given_up.discard(key)
            bill.end(status)
            try:
                if request is not None:
                    self._conclude(exchange, scope, flight)
            finally:
                if flight is not None:
                    flight.end()

    def _heading(self, scope: Scope, send: Send, flight: Flight | None) -> Send:
        """`send`, with what is to be done when a head goes out."""
        # HTTP/2 has no such field.
        may_close = scope["http_version"].startswith("1")
        request_id = scope.get("rgunicorn.request_id")

        async def heading(message: Message) -> None:
            if message["type"] == "http.response.start":
                if flight is not None:
                    flight.sending()
                if may_close and (self._closes or not parting.promises(self.worker)):
                    message = {**message, "headers": _closing(message.get("headers", ()))}
                if request_id is not None:
                    named = self._rules.sign(message.get("headers", ()), request_id)
                    message = {**message, "headers": named}
            await send(message)

        return heading

    def _depart(self, scope: Scope) -> Flight | None:
        """Notes the request, for whoever tells of it if the worker dies."""
        box = self.worker.blackbox
        if box is None or box.flights is None:
            return None
        major, _, minor = scope["http_version"].partition(".")
        client = scope.get("client")
        request_id = scope.get("rgunicorn.request_id")
        if request_id is None:
            sent = (value for name, value in scope["headers"] if name == b"x-request-id")
            request_id = text_of(next(sent, b""))
        return box.flights.begin(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            (int(major), int(minor or 0)),
            str(client[0]) if client else "",
            request_id,
        )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = False

        async def noting(message: Message) -> None:
            nonlocal accepted
            await send(message)
            accepted = accepted or message["type"] == "websocket.accept"

        bill = counting.Bill(self.worker)
        try:
            await self._app(scope, receive, noting)
        except Exception:
            if accepted:
                # uvicorn would break the connection off without a word.
                with contextlib.suppress(Exception):
                    await send(
                        {"type": "websocket.close", "code": 1011, "reason": "Application error"}
                    )
            raise
        finally:
            bill.end(counting.TAKEN if accepted else _FORBIDDEN)

    def _conclude(self, exchange: Exchange, scope: Scope, flight: Flight | None) -> None:
        response = exchange.response
        if response.status is None:
            # uvicorn answers for the application; Gunicorn logs no bytes either.
            exchange.started(HTTPStatus.INTERNAL_SERVER_ERROR, [])
        environ = environ_of(scope, exchange.request)
        duration = timedelta(seconds=time.monotonic() - exchange.start)
        try:
            if self._logs:
                self._log.access(response, exchange.request, environ, duration)
                if flight is not None:
                    flight.logged()
        except Exception:
            self._log.exception("Exception in the access log")
        try:
            if self._post_request:
                self._post_request(self.worker, exchange.request, environ, response)
        except Exception:
            self._log.exception("Exception in post_request hook")


def watched(protocol: Any, front: Front, head_limit: int) -> Any:
    """uvicorn's `protocol` class with an eye on clients that leave and on heads that never end.

    Args:
        protocol: `H11Protocol` or `HttpToolsProtocol`.
        front: is told of the first.
        head_limit: most bytes of an unfinished head. h11 has such a limit of its own, httptools
            collects whatever comes.
    """

    class Watched(protocol):
        # Bytes of the present head so far; None between heads.
        _head: int | None = None

        def send_400_response(self, msg: str) -> None:
            counting.refuse(front.worker, 400)
            super().send_400_response(msg)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            cycle = getattr(self, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                front.client_left(cycle.scope)

        def shutdown(self) -> None:
            if front.is_over:
                self.transport.abort()
            else:
                super().shutdown()

    if not hasattr(protocol, "on_message_begin"):
        return Watched

    class Bounded(Watched):
        def on_message_begin(self) -> None:
            self._head = 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._head = None
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            before = self._head
            super().data_received(data)
            # The chunk in which a head begins may hold the end of what was before.
            if before is not None and self._head is not None:
                self._head = before + len(data)
                if self._head > head_limit and not self.transport.is_closing():
                    self.send_400_response("Request head is too large")

    return Bounded


async def _answer(send: Send, refused: Refused, is_http: bool) -> None:
    if not is_http:
        # Before the handshake: answered with 403.
        await send({"type": "websocket.close", "code": 1008, "reason": refused.text})
        return
    body = refused.text.encode()
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _closing(fields: Any) -> list[Any]:
    """The fields of a response whose connection ends, which is said once, whoever else says it.

    uvicorn finds it there and adds none of its own; default fields of uvicorn would be added to
    its own pages too, which say it already, and to handshakes.
    """
    kept = [(name, value) for name, value in fields if bytes(name).lower() != b"connection"]
    return [*kept, (b"connection", b"close")]


def _counted(send: Send, bill: counting.Bill) -> Send:
    """`send` for a request that is counted when its response is complete."""

    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            bill.status = message["status"]
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            # Before the client can know that this was all.
            bill.end()
        await send(message)

    return counted


def _used(cfg: Any, name: str) -> Any:
    """The hook `name`, None when nobody has set it."""
    setting = cfg.settings[name]
    return None if setting.has_default else setting.get()


def _has_own_access(log: Any) -> bool:
    return type(log).__module__ != "rgunicorn.glogging" or "access" in vars(log)
