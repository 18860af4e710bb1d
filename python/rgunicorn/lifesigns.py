"""What the workers say of themselves, as the fleet wants to hear it: heartbeats, boots, wishes."""

from __future__ import annotations

import math
import time

from rgunicorn import reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from typing import Any

    from rgunicorn.workers.base import Worker


def heartbeats(workers: Mapping[int, Worker]) -> list[tuple[int, int]]:
    """Of each worker its pid and the monotonic nanoseconds of its last heartbeat."""
    beats = []
    for pid, worker in list(workers.items()):
        try:
            beats.append((pid, int(worker.tmp.last_update() * 1e9)))
        except (OSError, ValueError):
            continue  # closed by its worker class: no heartbeat, no timeout
    return beats


def read(
    log: Any, workers: Mapping[int, Worker], urgent: Container[str]
) -> list[tuple[int, int | None, int | None, bool | None]]:
    """Of each worker with a slot its pid, the monotonic nanoseconds of its boot and of its last
    heartbeat, and whether it asks for a successor at once; None when it asks for none.

    A worker that has grown too old does not ask itself: the wish is made here, and `log` told.

    Args:
        urgent: wishes that do not wait for a successor.
    """
    now = time.monotonic()
    signs = []
    for pid, worker in workers.items():
        slot = getattr(worker.tmp, "slot", None)
        if slot is None:
            continue
        if slot.wish is None and now >= getattr(worker, "_grows_old", math.inf):
            slot.wish = "max_worker_lifetime"
            reports.tell_age(log, worker, now)
        wish = slot.wish
        at_once = None if wish is None else wish in urgent
        signs.append((pid, slot.booted_ns, slot.heartbeat_ns, at_once))
    return signs
