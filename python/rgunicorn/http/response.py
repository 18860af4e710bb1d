"""The response: as `post_request` and custom loggers see it, and as worker classes with a loop of
their own send it. Status, fields and framing are judged and encoded by the core either way."""

from __future__ import annotations

import errno
import os
import select

from rgunicorn import _core, util

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Sent or asked of sendfile(2) at once: the limit on a stalled client counts for each.
STEP = 1 << 20
# What is read of a body that the application has left unread before the connection is given up.
DRAIN = 64 * 1024
# nginx's status, for the log only: the client had left before its request was run.
CLIENT_LEFT = 499


class Response:
    """The response to one request.

    Attributes: status (str as given, None before `start_response`), status_code, headers (list of
    pairs, the application's), headers_sent, sent (body bytes), response_length (Content-Length or
    None), chunked, upgrade, must_close, version (the `Server` value), req, sock, cfg.

    Args:
        req: the request.
        sock: the client's socket; None for a view.
        cfg: the configuration.
    """

    def __init__(self, req: Any, sock: Any = None, cfg: Any = None) -> None:
        from rgunicorn.http import banner

        self.req = req
        self.sock = sock
        self.cfg = cfg
        self.version = str(banner.assigned("SERVER"))
        self.status: str | None = None
        self.status_code: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_sent = False
        self.sent = 0
        self.response_length: int | None = None
        self.chunked = False
        self.upgrade = False
        self.must_close = False
        # The client can't be reached any more: what was raised was not the application's.
        self.broken = False
        # Who may know that the client has been told that it took too long.
        self.timed: Any = None
        # The request as the master sees it.
        self.flight: _core.Flight | None = None
        self._encoder: _core.ResponseEncoder | None = None

    @classmethod
    def of_core(cls, req: Any, **facts: Any) -> Response:
        """Makes the view from what the core knows."""
        response = cls(req)
        response.__dict__.update(facts)
        return response

    @classmethod
    def of_error(cls, req: Any, status_code: int) -> Response:
        """The view of an error page; its bytes count as none, as in Gunicorn."""
        from http import HTTPStatus

        response = cls(req)
        left = status_code == CLIENT_LEFT
        reason = "Client Closed Request" if left else HTTPStatus(status_code).phrase
        response.status = f"{status_code} {reason}"
        response.status_code = status_code
        response.must_close = True
        return response

    def force_close(self) -> None:
        """Makes this the last response of its connection."""
        self.must_close = True

    def should_close(self) -> bool:
        """Whether the connection ends after this response."""
        return self.must_close or self.req.should_close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's; returns `write`.

        Raises:
            AssertionError: called again without `exc_info`.
            ValueError: the status is not `NNN` or `NNN reason`, or Content-Length no number.
            InvalidResponseHeader, InvalidResponseHeaderName: a field that must not be sent.
            TypeError: something is no str.
        """
        if exc_info:
            if self.headers_sent:
                util.reraise(*exc_info)
        elif self.status is not None:
            raise AssertionError("Response headers already set!")
        # nginx's uwsgi_pass hands chunks through as they are.
        encoder = _core.ResponseEncoder(self.req.method, self._version, not self._is_uwsgi)
        self.status_code = encoder.announce(status, headers)
        self._encoder = encoder
        self.status = status
        self.headers = encoder.headers
        self.response_length = encoder.length
        self.upgrade = encoder.upgrade
        return self.write

    def is_chunked(self) -> bool:
        """Whether the body goes out in chunks."""
        return self.chunked

    def default_headers(self) -> list[str]:
        """The first lines of the head, those that are not the application's.

        Config files replace this method. The native workers write their heads themselves; what is
        made of it is looked at once there, for the `Server` line (`http.banner`).
        """
        if self._encoder is not None:
            return self._head()[0]
        connection = "close" if self.should_close() else "keep-alive"
        lines = [
            "HTTP/{}.{} {}\r\n".format(*self._version, self.status),
            f"Server: {self.version}\r\n",
            f"Date: {util.http_date()}\r\n",
            f"Connection: {'upgrade' if self.upgrade else connection}\r\n",
        ]
        return [*lines, "Transfer-Encoding: chunked\r\n"] if self.is_chunked() else lines

    def send_headers(self) -> None:
        """Sends the head, once."""
        self._send(self._take_head())

    def write(self, data: bytes) -> None:
        """Sends a piece of the body, after the head if that has not been sent.

        Raises:
            TypeError: `data` is not bytes.
            OSError: the client has gone.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"{data!r} is not a byte")
        head = self._take_head()
        encoder = self._announced()
        piece = encoder.piece(data)
        self.sent = encoder.sent
        self._send(head + piece)

    def can_sendfile(self) -> bool:
        """Whether sendfile(2) may be used on this connection."""
        return self.cfg.sendfile is not False and not self.cfg.is_ssl

    def sendfile(self, respiter: Any) -> bool:
        """Sends the rest of a `FileWrapper`'s file by sendfile(2); False: it can't be sent so."""
        if not self.can_sendfile() or not util.has_fileno(respiter.filelike):
            return False
        fileno = respiter.filelike.fileno()
        try:
            offset = os.lseek(fileno, 0, os.SEEK_CUR)
            available = os.fstat(fileno).st_size - offset
        except OSError:
            return False  # a pipe, say
        encoder = self._announced()
        size = available if self.response_length is None else self.response_length
        if not 0 <= size <= available:
            # Shorter than promised: read it like any other iterable, and see how that ends.
            return False
        head = self._take_head()
        before, allowed = encoder.begin(size)
        self._send(head + before)
        while allowed > 0:
            sent = self._send_range(fileno, offset, min(allowed, STEP))
            offset += sent
            allowed -= sent
        self.sent = encoder.sent
        self._send(encoder.after())
        return True

    def write_file(self, respiter: Any) -> None:
        """Sends what a `FileWrapper` wraps."""
        if not self.sendfile(respiter):
            for item in respiter:
                self.write(item)

    def send_early_hints(self, headers: Any) -> None:
        """`wsgi.early_hints`: sends `103 Early Hints` with these fields, unless the response has
        begun or the client speaks HTTP/1.0. Nor over uwsgi: nginx takes the first head for the
        response's."""
        if not self.headers_sent and not self._is_uwsgi:
            self._send(_core.early_hints(self.req.version, headers))

    def close(self) -> None:
        """Ends the response: the head if nothing was written, the last chunk.

        A response shorter than its Content-Length ends the connection: the client can not know
        otherwise where it stops.
        """
        from rgunicorn.http import wsgi

        head = self._take_head()
        end, keep_alive, short_by, dropped_body = self._announced().finish()
        self._send(head + end)
        if dropped_body:
            wsgi.log.warning(
                "WSGI app sent body bytes on a no-body response (method=%s status=%s); dropping "
                "per RFC 9110.",
                self.req.method,
                self.status_code,
            )
        self.short_by = short_by
        if not keep_alive:
            self.must_close = True

    # Content-Length bytes that the application has not sent; known from `close` on.
    short_by = 0

    @property
    def _is_uwsgi(self) -> bool:
        return getattr(self.req, "is_uwsgi", False)

    @property
    def _version(self) -> tuple[int, int]:
        # A uwsgi proxy translates to what its client speaks.
        version: tuple[int, int] = (1, 1) if self._is_uwsgi else self.req.version
        return version

    def _announced(self) -> _core.ResponseEncoder:
        if self._encoder is None:
            raise RuntimeError("the application returned a body without calling start_response")
        return self._encoder

    def _named(self) -> tuple[str, str] | None:
        """The field that says what the request is called."""
        name = getattr(self.req, "request_id", None)
        return None if name is None or self.cfg is None else (self.cfg.request_id_header, name)

    def _head(self) -> tuple[list[str], list[str]]:
        """The server's lines, and the application's with the empty one that ends the head."""
        encoder = self._announced()
        keep_alive = not self.should_close()
        head = encoder.head(keep_alive, self.version, self._named()).decode("latin-1")
        lines = [f"{line}\r\n" for line in head.split("\r\n")[:-1]]
        # Status, the name of the request, Server, Date, Connection, Transfer-Encoding.
        own = 3 + encoder.named + bool(self.version) + encoder.chunked
        return lines[:own], lines[own:]

    def _take_head(self) -> bytes:
        if self.headers_sent:
            return b""
        encoder = self._announced()
        if not self._body_may_be_skipped():
            self.must_close = True
        if type(self).default_headers is DEFAULT_HEADERS:
            head = encoder.head(not self.should_close(), self.version, self._named())
        else:
            lines = [*self.default_headers(), *self._head()[1]]
            head = "".join(lines).encode("latin-1")
        self.chunked = encoder.chunked
        self.headers_sent = True
        if self.flight is not None:
            self.flight.sending()
        return head

    def _body_may_be_skipped(self) -> bool:
        """Whether what the application has not read of the request is worth the wait for it."""
        reader = getattr(self.req, "body_reader", None)
        length: int = getattr(reader, "length", 0)
        return length <= DRAIN

    def _send(self, data: bytes) -> None:
        # One `send` at a time: a limit on the client's patience counts from the last progress.
        view = memoryview(data)
        self._ask_to_speak()
        try:
            while view:
                view = view[self.sock.send(view[:STEP]) :]
        except OSError:
            self.broken = True
            raise

    def _ask_to_speak(self) -> None:
        if self.timed is not None and not self.timed.speak():
            self.broken = True
            raise BrokenPipeError(errno.EPIPE, "the client was told that it took too long")

    def _send_range(self, fileno: int, offset: int, size: int) -> int:
        try:
            sent = os.sendfile(self.sock.fileno(), fileno, offset, size)
        except BlockingIOError:
            self._wait_writable()
            return 0
        except OSError:
            self.broken = True
            raise
        if not sent:
            raise OSError("the file became shorter while it was sent")
        return sent

    def _wait_writable(self) -> None:
        # By module attribute: gevent puts its own there.
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLOUT)
        patience = self.sock.gettimeout()
        if not poll.poll(None if patience is None else patience * 1000):
            self.broken = True
            raise TimeoutError("the client does not read the response")


# What config files may have replaced since.
DEFAULT_HEADERS = Response.default_headers
