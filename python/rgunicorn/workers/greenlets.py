"""Which greenlet runs which request, for `request_timeout` in the gevent worker; the log, when
greenlets end."""

from __future__ import annotations

import contextlib
import logging
import traceback

import gevent

from rgunicorn import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rgunicorn.workers.heralds import Road


# Seconds for whoever holds the lock of a handler when its process leaves.
_LAST_WORDS = 0.5


class Greenlets:
    """Remembers which greenlet runs which request, and ends those whose client has been told that
    it took too long: the core's thread can't, for a greenlet that waits is on no thread.

    Args:
        keeper: the core's part.
    """

    def __init__(self, keeper: _core.Timekeeper) -> None:
        self._keeper = keeper
        self._running: dict[Any, tuple[_core.Timed, str]] = {}

    @classmethod
    def of(cls, worker: Any) -> Greenlets | None:
        """For `worker`; None when nobody is to look."""
        keeper = _core.Timekeeper.of(worker)
        return None if keeper is None else cls(keeper)

    def enter(
        self, fd: int, road: Road, fields: list[str], flight: _core.Flight | None
    ) -> _core.Timed:
        """A request enters the application, in the calling greenlet; as `Timekeeper.enter`."""
        timed = self._keeper.enter(fd, road, fields, flight)
        self._running[gevent.getcurrent()] = timed, f"{fields[0]} {fields[2]!a}"
        return timed

    def end_overdue(self, log: Any) -> None:
        """Ends greenlets that are overdue, and shows where they waited."""
        for greenlet, (timed, what) in list(self._running.items()):
            if timed.is_over or greenlet.dead:
                del self._running[greenlet]
            elif timed.is_told:
                del self._running[greenlet]
                stack = "".join(traceback.format_stack(greenlet.gr_frame))
                log.error("Ending the greenlet of %s, past request_timeout:\n%s", what, stack)
                greenlet.kill(block=False)


@contextlib.contextmanager
def log_kept_free() -> Iterator[None]:
    """After an exception, each log handler whose lock nobody is going to release gets a new one.

    That may be SystemExit of a signal handler, in any greenlet. Raised at the beginning of
    `Handler.release` it leaves the handler locked by a greenlet that ends, for a lock's owner is
    the greenlet and not the thread. Whoever logs next waits for ever, `logging.shutdown` at last.
    """
    try:
        yield
    except BaseException:
        for reference in list(getattr(logging, "_handlerList", ())):
            handler = reference()
            lock = getattr(handler, "lock", None)
            if lock is None:
                continue
            if lock.acquire(timeout=_LAST_WORDS):
                lock.release()
            else:
                handler.createLock()
        raise
