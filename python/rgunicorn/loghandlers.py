"""The handlers that are ours on a logger that others may have put theirs on.

They carry a mark of Gunicorn's name: whoever looks for them in the wild looks for that.
"""

from __future__ import annotations

import contextlib
import logging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def is_ours(handler: logging.Handler) -> bool:
    """Whether `add` has put it where it is."""
    return getattr(handler, "_gunicorn", False)


def ours(log: logging.Logger) -> list[logging.Handler]:
    """Our handlers of `log`."""
    return [handler for handler in log.handlers if is_ours(handler)]


def add(log: logging.Logger, handler: logging.Handler, form: logging.Formatter) -> None:
    """Puts a handler of ours on `log`, which writes as `form` says."""
    handler.setFormatter(form)
    handler._gunicorn = True  # type: ignore[attr-defined]
    log.addHandler(handler)


def drop(log: logging.Logger) -> None:
    """Takes ours off `log`, and closes them."""
    for handler in ours(log):
        log.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def exchange(*logs: logging.Logger) -> Iterator[None]:
    """Takes ours off all of `logs`, for others to be put there inside. They are closed at the end;
    when it fails they come back, and those that have been put there go."""
    old = [(log, handler) for log in logs for handler in ours(log)]
    for log, handler in old:
        log.removeHandler(handler)
    try:
        yield
    except BaseException:
        for log in logs:
            drop(log)
        for log, handler in old:
            log.addHandler(handler)
        raise
    for _, handler in old:
        handler.close()


def open_closed(*logs: logging.Logger) -> None:
    """Opens the files of ours again that somebody has closed: now, while this process still has
    the rights to, not with the first line of a worker that has given them up."""
    for log in logs:
        for handler in ours(log):
            if isinstance(handler, logging.FileHandler) and handler.stream is None:
                handler.stream = handler._open()
