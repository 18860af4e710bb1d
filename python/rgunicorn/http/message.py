"""The request: as hooks and custom loggers see it, and as worker classes with a loop of their own
read it. The core parses either way.
"""

from __future__ import annotations

import re

from rgunicorn import _core
from rgunicorn.http.errors import NoMoreData, ParseException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.http.unreader import Unreader

Headers = list[tuple[str, str]]


# Most bytes of a request line, and most header fields, whatever the settings say.
MAX_REQUEST_LINE = 8190
MAX_HEADERS = 32768
TOKEN_RE = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-zA-Z]+")


class Message:
    """What requests have in common: a version, fields, trailers.

    Args:
        cfg: the configuration.
        unreader: where the message is read from; None makes an empty one.
        peer_addr: the peer's address: a tuple, or something empty for a unix socket.
    """

    version: tuple[int, int] = (1, 1)
    # It is read from uwsgi packets.
    is_uwsgi = False

    def __init__(
        self, cfg: Any = None, unreader: Unreader | None = None, peer_addr: Any = None
    ) -> None:
        self.cfg = cfg
        self.unreader = unreader
        self.headers: Headers = []
        self.trailers: Headers = []
        self.body: Any = None
        self.scheme = "http"
        self.must_close = False
        self._keep_alive = False
        is_inet = isinstance(peer_addr, tuple)
        self.peer_addr: tuple[Any, Any] = peer_addr[:2] if is_inet else ("", "")
        self.remote_addr: tuple[Any, Any] = self.peer_addr
        # None for a unix socket.
        self._peer = str(peer_addr[0]) if is_inet else None

    def force_close(self) -> None:
        """Records that the connection ends after this request."""
        self.must_close = True

    def should_close(self) -> bool:
        """Whether the connection ends after this request, as far as the request says."""
        return self.must_close or not self._keep_alive


class Request(Message):
    """One request. With an `unreader` it is read at once, otherwise it is a view of what the core
    has parsed.

    Attributes: method, uri (as sent), path (percent-encoded), query, fragment, version (pair),
    headers and trailers (lists of upper-case name and value), body, scheme, peer_addr (host and
    port; empty strings for a unix peer), remote_addr (the same), proxy_protocol_info (dict, None
    without a PROXY preamble), req_number (1 for the first of its connection).

    Args:
        cfg, unreader, peer_addr: as for `Message`.
        req_number: 1 for the first request of its connection.
        rules: those of `cfg`, when they are at hand.

    Raises:
        ParseException: the request is refused. What could be read of it is its `req`, if the
            access log shall have a line.
        NoMoreData: the client ended its side inside the head. Before it, `method` is empty.
    """

    def __init__(
        self,
        cfg: Any = None,
        unreader: Unreader | None = None,
        peer_addr: Any = None,
        req_number: int = 1,
        rules: _core.Rules | None = None,
    ) -> None:
        super().__init__(cfg, unreader, peer_addr)
        self.method = ""
        self.uri = ""
        self.path = ""
        self.query = ""
        self.fragment = ""
        self.proxy_protocol_info: dict[str, Any] | None = None
        self.req_number = req_number
        # The client waits for `100 Continue`.
        self.expects_continue = False
        # What a request without a header of this name is mounted on.
        self.script_name = ""
        # What `body` reads from.
        self.body_reader: Any = None
        # Made by `http.wsgi.create`.
        self.environ: dict[str, Any] | None = None
        # PATH_INFO, if it need not be made of `path`.
        self.path_info: str | None = None
        # Its name (`request_id_header`), None when it has none.
        self.request_id: str | None = None
        # Microseconds that it had waited for a thread, None when nobody knows.
        self.queue_us: int | None = None
        if unreader is not None:
            self.rules = rules or _core.Rules(cfg, self.is_uwsgi)
            self._parse(unreader)

    def _parse(self, unreader: Unreader) -> None:
        from rgunicorn.http.body import Body, ChunkedReader, LengthReader

        decoder = _core.RequestDecoder(self.rules, self._peer, first=self.req_number == 1)
        facts = None
        try:
            while facts is None and (data := unreader.read()):
                facts = decoder.feed(data)
        except ParseException as exc:
            if (known := getattr(exc, "facts", None)) is not None:
                self._take(known)
                exc.req = self  # type: ignore[attr-defined]
            raise
        if facts is None:
            if decoder.is_idle:
                return
            raise NoMoreData(decoder.rest())
        unreader.unread(decoder.rest())
        self._take(facts)
        self.body_reader = (
            ChunkedReader(self, unreader)
            if facts["chunked"]
            else LengthReader(unreader, facts["length"])
        )
        self.body = Body(self.body_reader)

    def _take(self, facts: Any) -> None:
        for name in ("method", "uri", "path", "query", "version", "headers", "scheme"):
            setattr(self, name, facts[name])
        self.request_id = facts.get("request_id")
        self.script_name = facts["script_name"]
        self.expects_continue = facts["expect_continue"]
        self.proxy_protocol_info = facts["proxy_protocol_info"] or None
        self.fragment = self.uri.partition("#")[2]
        self._keep_alive = facts["keep_alive"]

    def add_params(self, environ: dict[str, Any]) -> None:
        """Adds what a proxy says beside the request: nothing, over HTTP."""

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
