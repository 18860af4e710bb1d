"""`WorkerTmp`: a worker's heartbeat, and its place on the scoreboard.

Gunicorn keeps the heartbeat as the time stamp of a temporary file, whence the names. Here it is a
word in memory that master and workers share; the meaning is the same.
"""

from __future__ import annotations

import os
import time

from rgunicorn._core import Scoreboard, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config

# One for the life of the master, or what has been counted would begin anew, and whoever looks would
# look at the wrong one. A child only ever inherits it.
_board: Scoreboard | None = None
# Where that is: the first configuration has decided.
_directory: str | None = None


class WorkerTmp:
    """Heartbeat of one worker.

    The master makes it before the fork; the worker calls `notify`; the master reads.

    Args:
        cfg: setting `worker_tmp_dir`: with a directory the memory is a file there. The first worker
            decides.

    Raises:
        RuntimeError: the directory can't be used, or all 4096 places are taken.
    """

    # Number and age of the worker about to be made. `Worker.__init__` has Gunicorn's signature,
    # which has no room for the number, so the arbiter leaves them here for one constructor call.
    upcoming: tuple[int | None, int] = (None, 0)

    def __init__(self, cfg: Config) -> None:
        kept = _made(cfg.worker_tmp_dir)
        self.slot: Slot = kept.claim(*WorkerTmp.upcoming)
        WorkerTmp.upcoming = (None, 0)
        self._fileno = kept.fileno()
        self._owner = os.getpid()
        self._made = time.time()
        self._closed = False

    def notify(self) -> None:
        """The worker lives."""
        self.slot.beat(time.monotonic_ns())

    def last_update(self) -> float:
        """Monotonic time of the last heartbeat, in seconds.

        Before the first heartbeat it is the wall-clock time of our birth, as with Gunicorn: far
        in the future of the monotonic clock, so that a worker still importing its app is not
        late.

        Raises:
            ValueError: it is closed.
        """
        if self._closed:
            raise ValueError("the heartbeat of this worker is closed")
        beat_ns = self.slot.heartbeat_ns
        return self._made if beat_ns is None else beat_ns / 1e9

    def fileno(self) -> int:
        """The descriptor behind the shared memory."""
        return self._fileno

    def close(self) -> None:
        """The worker is gone; in the process that made us, its place becomes free."""
        if not self._closed and os.getpid() == self._owner:
            self.slot.release()
        self._closed = True


def prepare(cfg: Config) -> str | None:
    """Makes the memory now, in the master, so that a directory that can't be used is an error of
    the start and not of the first fork.

    Returns:
        What is to be said of a directory that comes too late: the memory stays where it is.

    Raises:
        RuntimeError: the directory is missing, or nothing can be made in it.
    """
    _made(cfg.worker_tmp_dir)
    if (cfg.worker_tmp_dir or None) == _directory:
        return None
    return f"worker_tmp_dir = {cfg.worker_tmp_dir!r} counts from the next start on, or from USR2"


def shared(cfg: Config) -> Scoreboard:
    """The same, made now if it is not there.

    Raises:
        RuntimeError: as `prepare`.
    """
    return _made(cfg.worker_tmp_dir)


def board() -> Scoreboard | None:
    """What this process and its workers share, once it is there."""
    return _board


def announce(course: str, until_ns: int = 0) -> None:
    """Tells all workers what the server is about to do; master only.

    Args:
        course: see `Scoreboard.set_course`.
        until_ns: when the limit of a stop is over, monotonic nanoseconds; 0 while there is none.
    """
    if _board is not None:
        _board.set_course(course, until_ns)


def _made(directory: str | None) -> Scoreboard:
    global _board, _directory
    if directory and not os.path.isdir(directory):
        raise RuntimeError(f"{directory} doesn't exist. Can't create workertmp.")
    if _board is None:
        try:
            _board = Scoreboard(directory or None)
        except OSError as exc:
            raise RuntimeError(f"Can't create the heartbeat file in {directory!r}: {exc}") from exc
        _directory = directory or None
    return _board
