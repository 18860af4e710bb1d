"""`static_map` for worker classes with a loop of their own: what is a file never reaches the
application. The core decides, as it does for the native workers."""

from __future__ import annotations

import io
import os
import threading

from rgunicorn import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger

# Read at once where sendfile(2) can't be used.
_PIECE = 64 * 1024


class StaticFiles:
    """A WSGI application that answers with files, and asks another one for everything else.

    Args:
        app: the other one.
        cfg: the configuration.
        log: for files that can't be given.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], cfg: Config, log: Logger) -> None:
        self.app = app
        self.log = log
        self._files = _core.StaticFiles(cfg)
        # gevent's is one of greenlets: nobody switches inside.
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._turn:
            answer = self._files.answer(environ)
        if answer is None:
            return self.app(environ, start_response)
        status, headers, body, part, notice = answer
        if notice is not None:
            self.log.error("%s", notice)
        file = None if part is None else Part(*part)
        try:
            start_response(status, headers)
        except BaseException:
            if file is not None:
                file.close()
            raise
        if file is None:
            return [body] if body else []
        wrapper: Any = environ.get("wsgi.file_wrapper")
        return file if wrapper is None else wrapper(file, _PIECE)


class Part:
    """A part of an open file, to be read once: for `wsgi.file_wrapper`, or as an iterable.

    Args:
        fd: the file; closed with this object.
        offset: where the part begins.
        length: how many bytes it has.
    """

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self._file = io.FileIO(fd)
        # sendfile goes by the file's own offset.
        self._file.seek(offset)
        self._left = length

    def fileno(self) -> int:
        """The descriptor, for sendfile(2)."""
        return self._file.fileno()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, `size` at most; empty at the end of the part.

        Raises:
            OSError: the file has become shorter.
        """
        size = self._left if size < 0 else min(size, self._left)
        if size == 0:
            return b""
        data: bytes = os.read(self._file.fileno(), size)
        if not data:
            raise OSError("the file became shorter while it was sent")
        self._left -= len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(_PIECE):
            yield data

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
