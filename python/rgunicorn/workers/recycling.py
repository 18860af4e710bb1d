"""Workers that ask the master for a successor: after `max_requests`, or for their memory.

The master forks it, and sends TERM when it is ready (`src/fleet/relief.rs`); until then the worker
serves. How old it is, the master knows itself.
"""

from __future__ import annotations

import os
import time

from rgunicorn import memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds between two looks at the counters, and between two at the page table.
LOOK = 1.0
CLOSE_LOOK = 5.0


def count(worker: Any) -> bool:
    """Whether the worker is to stop by itself, now that it has begun `worker.nr` requests.

    At `max_requests` it says so once, and asks for its successor.
    """
    if worker.nr < worker.max_requests or not worker.alive or getattr(worker, "_had_enough", False):
        return False
    worker._had_enough = True
    worker.log.info("Autorestarting worker after current request.")
    return not ask(worker, "max_requests")


def ask(worker: Any, wish: str) -> bool:
    """Asks for a successor.

    Args:
        worker: who asks, in its process.
        wish: the setting for whose sake; see `_core.Slot.wish`.

    Returns:
        False when there is nobody who would hear: no master of ours has forked this process, or one
        that manages workers in its own way. And for `max_requests = 1`: that one wants a process
        for each request, and nothing of one request to meet another.
    """
    if wish == "max_requests" and worker.max_requests <= 1:
        return False
    slot = getattr(worker.tmp, "slot", None)
    if not worker._is_heard or slot is None or slot.pid != os.getpid():
        return False
    slot.wish = wish
    return True


class Recycling:
    """Watches the memory of a worker; true when there is something to watch for.

    The counters are looked at first: they count what is shared with the master since the fork as
    well, so that only above a limit the page table has to tell what is the worker's own.
    """

    def __init__(self, cfg: Any) -> None:
        limits = (("max_rss_hard", cfg.max_rss_hard), ("max_rss", cfg.max_rss))
        # The hard one first, for it says more.
        self._limits = [(name, limit) for name, limit in limits if limit]
        self._next_look = 0.0
        self._next_close_look = 0.0

    def __bool__(self) -> bool:
        return bool(self._limits)

    def look(self, worker: Any) -> None:
        """Asks for a successor when the worker has too much memory; at most once a second, and
        once for each limit."""
        now = time.monotonic()
        if not self._limits or now < self._next_look or not worker.booted:
            return
        self._next_look = now + LOOK
        lowest = min(limit for _, limit in self._limits)
        if memory.anonymous() <= lowest or now < self._next_close_look:
            return
        self._next_close_look = now + CLOSE_LOOK
        used = memory.usage()
        for name, limit in self._limits:
            if used.private <= limit:
                continue
            heard = ask(worker, name)
            waits = heard and name != "max_rss_hard"
            worker.log.warning(
                "Worker has %s of memory of its own, above %s = %s (RSS %s, PSS %s): %s",
                memory.text(used.private),
                name,
                memory.text(limit),
                memory.text(used.rss),
                memory.text(used.pss),
                "it leaves when its successor is ready" if waits else "it leaves now",
            )
            # What is left is the more urgent.
            self._limits = self._limits[: self._limits.index((name, limit))]
            if not heard:
                worker.alive = False
            return
