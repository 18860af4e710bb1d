"""`wsgi.file_wrapper`, `wsgi.errors` and `gunicorn.socket`."""

from __future__ import annotations

import errno
import io
import logging
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    class Readable(Protocol):
        """What `wsgi.file_wrapper` takes."""

        def read(self, size: int, /) -> bytes: ...


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
        """Writes `data` (str) to every stream and flushes it; what it can not say is escaped."""
        for stream in self.streams:
            try:
                stream.write(data)
            except UnicodeError:
                stream.write(_escaped(data, getattr(stream, "encoding", None) or "ascii"))
            stream.flush()
        return len(data)

    def writelines(self, lines: Any) -> None:
        """Writes each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Does nothing: each write has flushed."""


class ClientSocket:
    """`environ["gunicorn.socket"]` in worker classes with a loop of their own: the client's socket,
    which notices when the application takes it over (a WebSocket library). No response of ours goes
    into it then.
    """

    # The same as the core's, `src/py/session.rs`.
    TAKING = frozenset(
        ("send", "sendall", "sendmsg", "sendto", "sendfile", "makefile", "detach", "shutdown")
    )

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._taken = False
        # Who may know that the client has been told that it took too long.
        self._timed: Any = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._sock, name)
        if name in self.TAKING and not self._taken:
            if self._timed is not None and not self._timed.speak():
                raise BrokenPipeError(errno.EPIPE, "the client was told that it took too long")
            self._taken = True
            # Our limits on slow clients are not the application's.
            self._sock.settimeout(None)
        return value

    @staticmethod
    def is_taken(environ: dict[str, Any]) -> bool:
        """Whether the application of this environ speaks with the client itself."""
        sock = environ.get("gunicorn.socket")
        return isinstance(sock, ClientSocket) and sock._taken


def _escaped(text: str, encoding: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)
