"""The shared memory of a server among the descriptors of its master: the scoreboard, and what each
worker runs.

Nothing there is believed: any process may have a file with these names.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass

from rgunicorn._core import Display, FlightsDisplay
from rgunicorn.top import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DELETED = " (deleted)"
_BOARD = "/memfd:rgunicorn-scoreboard" + _DELETED
_FLIGHTS = "/memfd:rgunicorn-flights" + _DELETED
# The first word of a scoreboard, in the machine's order; `src/sys/header.rs`.
_MAGIC = int.from_bytes(b"rgunicrn", "big").to_bytes(8, sys.byteorder)


@dataclass(frozen=True)
class Board:
    """A scoreboard that a process has open."""

    path: str
    """`/proc/PID/fd/N`."""
    name: tuple[int, int]
    """Device and inode: the same in all processes that have it."""

    def open(self) -> Display:
        """Maps it.

        Raises:
            ValueError: it has another layout.
            OSError: it is gone.
        """
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return Display(fd)
        finally:
            os.close(fd)


def of(pid: int) -> list[Board]:
    """The scoreboards of a process, in the order in which it made them.

    Raises:
        OSError: it is gone, or another user's.
    """
    found = []
    for fd, link in sorted(processes.links(pid).items()):
        if not link.endswith(_DELETED) or link == _FLIGHTS:
            continue
        path = f"/proc/{pid}/fd/{fd}"
        # With `worker_tmp_dir` it is an unlinked file with any name.
        with contextlib.suppress(OSError):
            facts = os.stat(path)
            if stat.S_ISREG(facts.st_mode) and (link == _BOARD or _is_board(path)):
                found.append(Board(path, (facts.st_dev, facts.st_ino)))
    return found


def flights(pid: int) -> Iterator[FlightsDisplay]:
    """What the workers of a master run: of those that let others look."""
    try:
        links = processes.links(pid)
    except OSError:
        return
    for fd, link in links.items():
        if link != _FLIGHTS:
            continue
        # Closed meanwhile, or no flights at all.
        with contextlib.suppress(OSError, ValueError):
            own = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                yield FlightsDisplay(own)
            finally:
                os.close(own)


def _is_board(path: str) -> bool:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(fd, len(_MAGIC), 0) == _MAGIC
    finally:
        os.close(fd)
