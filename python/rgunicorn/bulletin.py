"""What the master says of the server on the scoreboard, for whoever looks at it: `/metrics`,
`/stats`, `rgunicorn top`."""

from __future__ import annotations

import time

from rgunicorn import version_info
from rgunicorn.workers import workertmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.supervisor import Supervisor
    from rgunicorn.workers.base import Worker

# 1.2.3 is 1_002_003.
_VERSION = sum(n * 1000**i for i, n in enumerate(reversed(version_info)))

# Reasons (`sys::header::Reason`) by what a worker asked for (`Slot.wish`).
_WISHES = {
    "max_requests": "max_requests",
    "max_worker_lifetime": "lifetime",
    "max_rss": "rss",
    "max_rss_hard": "rss",
    "request_timeout": "deadline",
}


def post(server: Supervisor) -> None:
    """Brings everything up to date that is not counted where it happens; each turn of the loop."""
    board = workertmp.board()
    if board is None:
        return
    for worker in server.WORKERS.values():
        _note_boot(worker)
    cfg, stats = server.cfg, server._stats
    capacity = getattr(server.worker_class, "capacity", None)
    facts = {
        "pid": server.pid,
        "started_at_ns": int((stats["start_time"] or 0) * 1e9),
        "workers": getattr(server, "num_workers", 0),
        "threads": capacity(cfg) if capacity is not None else 0,
        "max_queue": cfg.max_queue,
        "backlog": cfg.backlog,
        "version": _VERSION,
        "reloads": stats["reloads"],
        "reload_failures": stats["reload_failures"],
        "reload_failed": stats["reload_failure"] is not None,
        "spawns": stats["workers_spawned"],
        "back_off": server._fleet.holds_back(time.monotonic_ns()),
    }
    for name, value in facts.items():
        board.set_fact(name, max(0, int(value)))


def note_spawn_failure() -> None:
    """A worker could not be forked."""
    board = workertmp.board()
    if board is not None:
        board.add_to_fact("spawn_failures")


def note_end(server: Supervisor, worker: Worker, code: int | None, sig: int | None) -> None:
    """Counts the end of a worker, by its reason.

    Args:
        server: the master, before its fleet hears of it.
        worker: the worker.
        code: its exit code.
        sig: the signal that ended it; both None when nobody knows.
    """
    board = workertmp.board()
    if board is not None:
        _note_boot(worker)
        assert isinstance(worker.pid, int)
        board.count_end(reason(worker, server._fleet.cause(worker.pid), code, sig))


def reason(worker: Worker, cause: str | None, code: int | None, sig: int | None) -> str:
    """The name of the reason for which a worker has ended.

    Args:
        worker: the worker, with what the master did to it.
        cause: why the fleet has told it to leave, if it has.
        code, sig: as for `note_end`.
    """
    slot = getattr(worker.tmp, "slot", None)
    booted = slot is None or slot.booted_ns is not None
    wish = None if slot is None else slot.wish
    if worker.oom_kills:
        return "oom"
    if worker.aborted:
        return "timeout" if booted else "boot"
    if cause is not None and cause != "wish":
        return cause
    # Where nobody replaces workers, one that has had enough leaves by itself.
    if wish is not None and (cause == "wish" or not (code or sig)):
        return _WISHES[wish]
    if not booted:
        return "boot"
    if sig is not None:
        return "signal"
    return "failure" if code else "exit"


def _note_boot(worker: Worker) -> None:
    slot = getattr(worker.tmp, "slot", None)
    board = workertmp.board()
    if worker._boot_noted or slot is None or board is None or slot.booted_ns is None:
        return
    worker._boot_noted = True
    board.add_to_fact("boots")
    board.add_to_fact("boot_time_ns", max(0, slot.booted_ns - int(worker._forked * 1e9)))
