"""How much memory a process has, as the kernel tells it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import namedtuple

_PAGE = os.sysconf("SC_PAGE_SIZE")

if TYPE_CHECKING:

    class Usage(NamedTuple):
        """In bytes: what only this process has; what it has with others; its share of that."""

        private: int
        rss: int
        pss: int

else:
    Usage = namedtuple("Usage", "private rss pss")


def anonymous(pid: int | str = "self") -> int:
    """Bytes of memory without a file behind it that the process has, shared after a fork or not.

    More than `Usage.private` of it, and cheap: counters, where `usage` walks the page table.

    Raises:
        OSError: there is no such process.
    """
    with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
        # proc(5): size, resident, resident with a file behind it.
        _, resident, shared = file.read(256).split()[:3]
    return (int(resident) - int(shared)) * _PAGE


def usage(pid: int | str = "self") -> Usage:
    """What the process has. Costs 20 ms of CPU for each GB: use it where it is worth that.

    Raises:
        OSError: there is no such process, or another user's.
    """
    found = dict.fromkeys((b"Rss:", b"Pss:", b"Private_Clean:", b"Private_Dirty:"), 0)
    with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            name, _, rest = line.partition(b" ")
            if name in found:
                found[name] = int(rest.split()[0]) << 10
    private = found[b"Private_Clean:"] + found[b"Private_Dirty:"]
    return Usage(private, found[b"Rss:"], found[b"Pss:"])


def text(size: int) -> str:
    """A size as a reader wants it: `312.4 MiB`."""
    return f"{size / (1 << 20):.1f} MiB"
