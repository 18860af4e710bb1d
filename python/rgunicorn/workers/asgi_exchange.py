"""A request and its response under ASGI, under the names that hooks and loggers know."""

from __future__ import annotations

import time
from http import HTTPStatus

from rgunicorn.http.message import Request
from rgunicorn.http.wsgi import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    Message = dict[str, Any]
    Send = Callable[[Message], Awaitable[None]]
    Scope = dict[str, Any]


class Exchange:
    """One request and what has been sent as its response."""

    def __init__(self, request: Request, is_head: bool, send: Send) -> None:
        self.request = request
        self.response = Response(request)
        self.start = time.monotonic()
        self._is_head = is_head
        self._send = send

    async def send(self, message: Message) -> None:
        """Passes on what the application sends, and takes notes."""
        await self._send(message)
        if message["type"] == "http.response.start":
            self.started(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and not self._is_head:
            self.response.sent += len(message.get("body", b""))

    def started(self, status: int, headers: Any) -> None:
        """Notes the head of the response."""
        self.response.status = _status_line(status)
        self.response.status_code = status
        self.response.headers = [(text_of(name), text_of(value)) for name, value in headers]
        self.response.headers_sent = True


def request_of(scope: Scope) -> Request:
    """The request as hooks and loggers see it."""
    request = Request()
    query = scope["query_string"].decode("latin-1")
    request.method = scope["method"]
    request.path = scope["raw_path"].decode("latin-1")
    request.query = query
    request.uri = f"{request.path}?{query}" if query else request.path
    major, _, minor = scope["http_version"].partition(".")
    request.version = (int(major), int(minor or 0))
    request.headers = [(text_of(name).upper(), text_of(value)) for name, value in scope["headers"]]
    request.scheme = scope["scheme"]
    request.peer_addr = request.remote_addr = tuple(scope.get("client") or ("", ""))
    request.request_id = scope.get("rgunicorn.request_id")
    return request


def environ_of(scope: Scope, request: Request) -> dict[str, Any]:
    """WSGI's names for what the access log and `post_request` look at."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "PATH_INFO": scope["path"],
        "QUERY_STRING": request.query,
        "SCRIPT_NAME": scope["root_path"],
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*request.version),
        "REMOTE_ADDR": request.peer_addr[0],
        "wsgi.url_scheme": request.scheme,
    }
    if request.request_id is not None:
        environ["rgunicorn.request_id"] = request.request_id
    if scope.get("client"):
        environ["REMOTE_PORT"] = str(request.peer_addr[1])
    for name, value in request.headers:
        key = name.replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(int(status))


def text_of(field: bytes) -> str:
    """A name or a value of a field."""
    return bytes(field).decode("latin-1")
