"""A worker is made: the object before the fork, and what the master notes on it behind the fork."""

from __future__ import annotations

import random
import time

from rgunicorn.workers.blackbox import BlackBox
from rgunicorn.workers.workertmp import WorkerTmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.supervisor import Supervisor
    from rgunicorn.workers.base import Worker


def make(server: Supervisor, age: int, slot: int) -> Worker:
    """An object of the configured class, with what outlives its process: slot and black box.

    Args:
        server: the master.
        age: serial number of the fork.
        slot: number among the living workers.
    """
    WorkerTmp.upcoming = (slot, age)
    worker = server.worker_class(
        age,
        server.pid,
        server.LISTENERS,
        server.app,
        server.timeout / 2.0,
        server.cfg,
        server.log,
    )
    worker.slot = slot
    try:
        worker.blackbox = BlackBox(
            worker.flight_room(server.cfg),
            worker.slates(server.cfg),
            (slot, age),
            worker.vault_room(server.cfg),
            server.cfg.worker_keeper,
        )
    except OSError as exc:
        server.log.warning("No black box for the next worker: %s", exc)
    return worker


def register(server: Supervisor, worker: Worker, pid: int) -> None:
    """In the master: it lives, and may do so for `max_worker_lifetime`."""
    cfg = server.cfg
    worker.pid = pid
    if worker.blackbox is not None:
        worker.blackbox.part()
    worker._forked = time.monotonic()
    if cfg.max_worker_lifetime:
        jitter = random.uniform(0, cfg.max_worker_lifetime_jitter)
        worker._grows_old = worker._forked + cfg.max_worker_lifetime + jitter
    server.WORKERS[pid] = worker
