"""What is WSGI about a request: the worker-wide part of the environ, `wsgi.errors`,
`wsgi.file_wrapper`, and the response as hooks and loggers see it."""

from __future__ import annotations

import io
import logging
import sys

import rgunicorn
from rgunicorn import util

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    class Readable(Protocol):
        """What `wsgi.file_wrapper` takes."""

        def read(self, size: int, /) -> bytes: ...


log = logging.getLogger("gunicorn.http.wsgi")

# Config files assign these, here or in `gunicorn`; `http.banner` knows what counts.
SERVER = rgunicorn.SERVER
SERVER_SOFTWARE = rgunicorn.SERVER_SOFTWARE


class FileWrapper:
    """`wsgi.file_wrapper`: an iterable of blocks that the core sends by sendfile(2) when it is
    returned as it is and the file has a descriptor.

    Arguments: filelike, anything with `read`; blksize, bytes per block otherwise.
    """

    def __init__(self, filelike: Readable, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        # PEP 3333: only there when the file has one.
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if data := self.filelike.read(self.blksize):
            return data
        raise StopIteration

    def __getitem__(self, index: int) -> bytes:
        # The old sequence protocol, which some middleware still walks.
        if data := self.filelike.read(self.blksize):
            return data
        raise IndexError(index)


class WSGIErrorsWrapper(io.RawIOBase):
    """`wsgi.errors`: text goes, unformatted, where the error log goes."""

    def __init__(self, cfg: Any) -> None:
        handlers = logging.getLogger("gunicorn.error").handlers
        self.streams: list[Any] = []
        if cfg.errorlog == "-":
            # Whatever sys.stderr is, rather than what the first handler took it for.
            self.streams.append(sys.stderr)
            handlers = handlers[1:]
        self.streams += [handler.stream for handler in handlers if hasattr(handler, "stream")]

    def write(self, data: Any) -> int:
        """Writes `data` (str) to every stream and flushes it."""
        for stream in self.streams:
            try:
                stream.write(data)
            except UnicodeError:
                stream.write(data.encode("UTF-8"))
            stream.flush()
        return len(data)

    def writelines(self, lines: Any) -> None:
        """Writes each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Does nothing: each write has flushed."""


def base_environ(cfg: Any) -> dict[str, Any]:
    """The part of the environ that is the same for all requests of a worker."""
    from rgunicorn.http import banner

    return {
        "wsgi.errors": WSGIErrorsWrapper(cfg),
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": cfg.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": banner.software(),
    }


def default_environ(req: Any, sock: Any, cfg: Any) -> dict[str, Any]:
    """`base_environ` and what the request line says; without header fields, path and addresses."""
    major, minor = req.version
    return base_environ(cfg) | {
        "wsgi.input": getattr(req, "body", None),
        "gunicorn.socket": sock,
        "REQUEST_METHOD": req.method,
        "QUERY_STRING": req.query,
        "RAW_URI": req.uri,
        "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
    }


class Response:
    """The response to one request, as `post_request` and custom loggers see it.

    Attributes: status (str as given, None before `start_response`), status_code, headers (list of
    pairs, the application's), headers_sent, sent (body bytes), response_length (Content-Length or
    None), chunked, upgrade, must_close, version (the `Server` value), req.
    """

    def __init__(self, req: Any, sock: Any = None, cfg: Any = None) -> None:
        self.req = req
        self.sock = sock
        self.cfg = cfg
        self.version = SERVER
        self.status: str | None = None
        self.status_code: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_sent = False
        self.sent = 0
        self.response_length: int | None = None
        self.chunked = False
        self.upgrade = False
        self.must_close = False

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
        response.status = f"{status_code} {HTTPStatus(status_code).phrase}"
        response.status_code = status_code
        response.must_close = True
        return response

    def should_close(self) -> bool:
        """Whether the connection ends after this response."""
        return self.must_close or self.req.should_close()

    def is_chunked(self) -> bool:
        """Whether the body goes out in chunks."""
        return self.chunked

    def default_headers(self) -> list[str]:
        """The first lines of the head, those that are not the application's.

        The native workers write their heads themselves; what a config file makes of this function
        is looked at once, for the `Server` line (`http.banner`).
        """
        connection = "close" if self.should_close() else "keep-alive"
        lines = [
            "HTTP/{}.{} {}\r\n".format(*self.req.version, self.status),
            f"Server: {self.version}\r\n",
            f"Date: {util.http_date()}\r\n",
            f"Connection: {'upgrade' if self.upgrade else connection}\r\n",
        ]
        return [*lines, "Transfer-Encoding: chunked\r\n"] if self.is_chunked() else lines


# What config files may have replaced since.
AT_FIRST = {"SERVER": SERVER, "SERVER_SOFTWARE": SERVER_SOFTWARE, "Response": Response}
DEFAULT_HEADERS = Response.default_headers
