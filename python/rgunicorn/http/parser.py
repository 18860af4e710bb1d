"""The requests of one connection, for worker classes with a loop of their own."""

from __future__ import annotations

from rgunicorn import _core
from rgunicorn.http.errors import NoMoreData
from rgunicorn.http.message import Request
from rgunicorn.http.response import DRAIN
from rgunicorn.http.unreader import IterUnreader, SocketUnreader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Parser:
    """Iterates over the requests of a connection.

    Args:
        cfg: the configuration.
        source: a socket, or an iterable of bytes.
        source_addr: the peer's address: a tuple, or something empty for a unix socket.
    """

    mesg_class: Any = None

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        self.cfg = cfg
        self.unreader = SocketUnreader(source) if hasattr(source, "recv") else IterUnreader(source)
        self.mesg: Any = None
        self.source_addr = source_addr
        # Requests so far.
        self.req_count = 0
        self.rules = _core.Rules(cfg, getattr(self.mesg_class, "is_uwsgi", False))
        self._proxy: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next request.

        Raises:
            StopIteration: the client has ended its side, or the last request was the last.
            ParseException, UWSGIParseException: the request is refused.
            NoMoreData: the client ended its side inside the head.
            OSError: what the source raises.
        """
        if self.mesg is not None and (self.mesg.should_close() or not self.finish_body()):
            raise StopIteration
        self.req_count += 1
        self.mesg = self.mesg_class(
            self.cfg, self.unreader, self.source_addr, self.req_count, rules=self.rules
        )
        if not self.mesg.method:
            self.mesg = None
            raise StopIteration
        # A PROXY preamble is about the connection.
        self._proxy = self.mesg.proxy_protocol_info or self._proxy
        self.mesg.proxy_protocol_info = self._proxy
        return self.mesg

    next = __next__

    def finish_body(self) -> bool:
        """Reads what the application has left of the last request's body, `DRAIN` bytes at most.

        Returns:
            Whether the next request can be read.
        """
        reader = self.mesg.body_reader
        left = DRAIN
        try:
            while not reader.done and left > 0:
                left -= len(reader.read(min(left, 8192)))
        except NoMoreData:
            return False
        done: bool = reader.done
        return done


class RequestParser(Parser):
    """Iterates over HTTP/1 requests."""

    mesg_class = Request
