"""Where the parser gets bytes from: a socket, or any iterable of bytes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Bytes asked for at once.
CHUNK = 8192


class Unreader:
    """A source of bytes that takes some back: what was read too far is the next reader's."""

    def __init__(self) -> None:
        self._kept = b""
        # The source has failed: what was raised was not the application's.
        self.broken = False

    def chunk(self) -> bytes:
        """The next bytes of the source; empty at its end. Subclasses implement it."""
        raise NotImplementedError

    def read(self, size: int | None = None) -> bytes:
        """Reads `size` bytes, fewer at the end.

        Without a size, or with a negative one: what is at hand, else one chunk.

        Raises:
            TypeError: `size` is no integer.
        """
        if size is not None and not isinstance(size, int):
            raise TypeError("size parameter must be an int or long.")
        if size is None or size < 0:
            data, self._kept = self._kept, b""
            return data or self.chunk()
        parts = [self._kept]
        have = len(self._kept)
        while have < size and (data := self.chunk()):
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self._kept = data[size:]
        return data[:size]

    @property
    def has_data(self) -> bool:
        """Whether the next `read` need not ask the source."""
        return bool(self._kept)

    def unread(self, data: bytes) -> None:
        """Takes `data` back: it is what the next `read` begins with."""
        self._kept = data + self._kept


class SocketUnreader(Unreader):
    """Reads from a socket.

    Args:
        sock: anything with `recv`.
        max_chunk: bytes received at most at once.
    """

    def __init__(self, sock: Any, max_chunk: int = CHUNK) -> None:
        super().__init__()
        self.sock = sock
        self.mxchunk = max_chunk

    def chunk(self) -> bytes:
        try:
            data: bytes = self.sock.recv(self.mxchunk)
        except OSError:
            self.broken = True
            raise
        return data


class IterUnreader(Unreader):
    """Reads from an iterable of bytes."""

    def __init__(self, iterable: Iterable[bytes]) -> None:
        super().__init__()
        self.iter = iter(iterable)

    def chunk(self) -> bytes:
        # An empty item is no end.
        return next((bytes(data) for data in self.iter if data), b"")
