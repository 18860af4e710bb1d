"""The request as hooks and custom loggers see it.

The core parses; this is a view made when somebody looks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Headers = list[tuple[str, str]]


class Message:
    """What requests have in common: a version, fields, trailers."""

    version: tuple[int, int] = (1, 1)

    def __init__(self) -> None:
        self.headers: Headers = []
        self.trailers: Headers = []
        self.scheme = "http"
        self.must_close = False
        self._keep_alive = False

    def force_close(self) -> None:
        """Records that the connection ends after this request."""
        self.must_close = True

    def should_close(self) -> bool:
        """Whether the connection ends after this request, as far as the request says."""
        return self.must_close or not self._keep_alive


class Request(Message):
    """One request.

    Attributes: method, uri (as sent), path (percent-encoded), query, fragment, version (pair),
    headers and trailers (lists of upper-case name and value), scheme, peer_addr (host and port;
    empty strings for a unix peer), remote_addr (the same), proxy_protocol_info (dict, empty
    without a PROXY preamble), req_number (1 for the first of its connection).
    """

    def __init__(self) -> None:
        super().__init__()
        self.method = ""
        self.uri = ""
        self.path = ""
        self.query = ""
        self.fragment = ""
        self.peer_addr: tuple[Any, Any] = ("", "")
        self.remote_addr: tuple[Any, Any] = ("", "")
        self.proxy_protocol_info: dict[str, Any] | None = None
        self.req_number = 1

    @classmethod
    def of_core(cls, *, keep_alive: bool, peer_addr: tuple[Any, Any], **facts: Any) -> Request:
        """Makes the view from what the core knows."""
        request = cls()
        request.__dict__.update(facts)
        request.proxy_protocol_info = facts["proxy_protocol_info"] or None
        _, hash_sign, fragment = request.uri.partition("#")
        request.fragment = fragment if hash_sign else ""
        request.peer_addr = request.remote_addr = peer_addr
        request._keep_alive = keep_alive
        return request

    def bare_environ(self) -> dict[str, Any]:
        """The variables that need no configuration, for a log line about a request that was
        refused before it had an environ."""
        return {
            "REQUEST_METHOD": self.method,
            "RAW_URI": self.uri,
            "PATH_INFO": self.path,
            "QUERY_STRING": self.query,
            "SERVER_PROTOCOL": "HTTP/{}.{}".format(*self.version),
            "REMOTE_ADDR": str(self.peer_addr[0]),
            "wsgi.url_scheme": self.scheme,
        }
