"""Log files: who owns them, and how they are opened again while somebody writes to them."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator

# The user and group ids that own our log files.
Owner = tuple[int, int]


def prepare(path: str, owner: Owner) -> None:
    """Makes the log file `path` where there is none, and gives it to `owner`.

    Raises RuntimeError, in Gunicorn's words, when it can't be opened for appending.
    """
    try:
        fd = _open(path)
    except OSError as exc:
        raise RuntimeError(f"Error: '{path}' isn't writable [{exc!r}]") from exc
    try:
        _give_to(fd, owner)
    finally:
        os.close(fd)


def replace(path: str, fds: Iterable[int], owner: Owner | None) -> None:
    """Opens `path` and puts it behind each of `fds`, in one system call each.

    A writer at any point of a write, in this process or on another thread without the GIL, goes on
    with the old or the new file and never meets a closed descriptor.
    """
    new = _open(path)
    try:
        if owner is not None:
            _give_to(new, owner)
        for fd in fds:
            os.dup2(new, fd, inheritable=os.get_inheritable(fd))
    finally:
        os.close(new)


def file_handlers(loggers: Iterable[logging.Logger]) -> list[logging.FileHandler]:
    """Each FileHandler of `loggers` once."""
    handlers = {id(handler): handler for logger in loggers for handler in logger.handlers}
    return [it for it in handlers.values() if isinstance(it, logging.FileHandler)]


@contextlib.contextmanager
def held(handler: logging.Handler) -> Iterator[None]:
    """Holds the handler's lock, so that no other thread is inside its `emit`."""
    handler.acquire()
    try:
        yield
    finally:
        handler.release()


def reopen(handler: logging.FileHandler, owner: Owner | None) -> None:
    """Opens the file of `handler` again by name; OSError leaves it as it is.

    Its stream is neither flushed nor closed. A signal handler runs in the thread it interrupts,
    which may be inside `emit` with the stream in its hand; the lock, re-entrant, does not keep it
    out. (Closing the stream there is what makes Gunicorn print `--- Logging error ---`.)
    """
    with held(handler):
        if handler.stream is None:
            return
        if type(handler)._open is not logging.FileHandler._open:
            # It alone knows how to open; the old stream closes with its last user.
            handler.stream = handler._open()
            return
        replace(handler.baseFilename, [handler.stream.fileno()], owner)


def _give_to(fd: int, owner: Owner) -> None:
    """Makes `owner` the owner of an open log file, as far as this process may.

    Only of a regular file: run by root, Gunicorn gives away `/dev/null`.
    """
    if stat.S_ISREG(os.fstat(fd).st_mode):
        # Without the right to, the file stays whose it is; that it could be opened is enough.
        with contextlib.suppress(PermissionError):
            os.fchown(fd, *owner)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
