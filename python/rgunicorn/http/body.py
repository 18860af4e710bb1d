"""`wsgi.input` of worker classes with a loop of their own: the body, read as it is asked for."""

from __future__ import annotations

from rgunicorn import _core
from rgunicorn.http.errors import NoMoreData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    from rgunicorn.http.unreader import Unreader

    class Reader(Protocol):
        """What `Body` reads from."""

        def read(self, size: int) -> bytes: ...


class ChunkedReader:
    """A body in chunks; the core reads them, and the trailers into `req.trailers`.

    Raises:
        ParseException: from `read`, the coding is broken.
        NoMoreData: from `read`, the client ended its side inside the body.
    """

    def __init__(self, req: Any, unreader: Unreader) -> None:
        self.req = req
        self.unreader = unreader
        self._decoder = _core.BodyDecoder(req.rules)
        self._data = b""

    def read(self, size: int) -> bytes:
        """Reads `size` bytes, fewer at the end of the body."""
        parts, have = [self._data], len(self._data)
        while have < size and not self.done:
            data = self._step()
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self._data = data[size:]
        return data[:size]

    @property
    def done(self) -> bool:
        """The last chunk and the trailers have been read."""
        return self._decoder.done

    def _step(self) -> bytes:
        taken = b"" if self._decoder.broken else self.unreader.read()
        if not taken:
            self._decoder.end()
        data = self._decoder.decode(taken)
        if self._decoder.done:
            self.unreader.unread(self._decoder.rest())
            self.req.trailers = self._decoder.trailers()
        return data


class LengthReader:
    """A body of `length` bytes.

    Raises:
        NoMoreData: from `read`, the client ended its side inside the body.
    """

    def __init__(self, unreader: Unreader, length: int) -> None:
        self.unreader = unreader
        self.length = length

    def read(self, size: int) -> bytes:
        """Reads `size` bytes, fewer at the end of the body."""
        parts: list[bytes] = []
        size = min(size, self.length)
        while size > 0:
            data = self.unreader.read()
            if not data:
                raise NoMoreData(b"".join(parts))
            self.unreader.unread(data[size:])
            data = data[:size]
            parts.append(data)
            size -= len(data)
            self.length -= len(data)
        return b"".join(parts)

    @property
    def done(self) -> bool:
        """All of it has been read."""
        return self.length <= 0


class EOFReader:
    """A body that ends with the connection. No request has one (RFC 9112 section 6.3)."""

    def __init__(self, unreader: Unreader) -> None:
        self.unreader = unreader
        self.done = False

    def read(self, size: int) -> bytes:
        """Reads `size` bytes, fewer at the end."""
        data = self.unreader.read(size)
        self.done = len(data) < size
        return data


class Body:
    """A file-like object over one of the readers above."""

    # Read ahead when a line is looked for.
    STEP = 1024

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._kept = b""

    def read(self, size: int | None = None) -> bytes:
        """Reads `size` bytes, fewer at the end; all without a size or with a negative one."""
        wanted = _size(size)
        parts, have = [self._kept], len(self._kept)
        self._kept = b""
        while wanted is None or have < wanted:
            data = self.reader.read(65536 if wanted is None else wanted - have)
            if not data:
                break
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        if wanted is not None:
            data, self._kept = data[:wanted], data[wanted:]
        return data

    def readline(self, size: int | None = None) -> bytes:
        """Reads up to and including the next line end, `size` bytes at most."""
        wanted = _size(size)
        parts, have = [], 0
        data, self._kept = self._kept, b""
        while wanted is None or have < wanted:
            if not data:
                data = self.reader.read(self.STEP)
                if not data:
                    break
            end = data.find(b"\n") + 1 or len(data)
            if wanted is not None:
                end = min(end, wanted - have)
            parts.append(data[:end])
            have += end
            data = data[end:]
            if parts[-1].endswith(b"\n"):
                break
        self._kept = data
        return b"".join(parts)

    def readlines(self, size: int | None = None) -> list[bytes]:
        """All lines; the hint is ignored, as PEP 3333 allows."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if line := self.readline():
            return line
        raise StopIteration

    next = __next__


def _size(size: int | None) -> int | None:
    if size is None:
        return None
    if not isinstance(size, int):
        raise TypeError("size must be an integral type")
    return None if size < 0 else size
