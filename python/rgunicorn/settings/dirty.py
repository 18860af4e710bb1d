"""Dirty arbiters: a second pool of processes for long jobs."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import (
    validate_callable,
    validate_list_string,
    validate_pos_int,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DIRTY = Unbuilt("dirty arbiters", "run long jobs in a task queue, or serve this with Gunicorn")


class DirtyApps(Setting):
    name = "dirty_apps"
    section = "Dirty Arbiters"
    cli = ["--dirty-app"]
    action = "append"
    meta = "STRING"
    validator = validate_list_string
    default = []
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        A class for the dirty pool, as `MODULE:CLASS` or `MODULE:CLASS:WORKERS`; may be repeated.
        """


class DirtyWorkers(Setting):
    name = "dirty_workers"
    section = "Dirty Arbiters"
    cli = ["--dirty-workers"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 0
    unbuilt = _DIRTY
    desc = """\
        How many processes the dirty pool has; 0 for no pool.
        """


class DirtyTimeout(Setting):
    name = "dirty_timeout"
    section = "Dirty Arbiters"
    cli = ["--dirty-timeout"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 300
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        Seconds that a call into the dirty pool may take.
        """


class DirtyThreads(Setting):
    name = "dirty_threads"
    section = "Dirty Arbiters"
    cli = ["--dirty-threads"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 1
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        How many threads each process of the dirty pool has.
        """


class DirtyGracefulTimeout(Setting):
    name = "dirty_graceful_timeout"
    section = "Dirty Arbiters"
    cli = ["--dirty-graceful-timeout"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 30
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        Seconds that calls into the dirty pool may still take when the server stops.
        """


class OnDirtyStarting(Setting):
    name = "on_dirty_starting"
    section = "Dirty Arbiter Hooks"
    validator = validate_callable(1)
    type = callable

    def on_dirty_starting(arbiter: Any) -> None:
        pass

    default = staticmethod(on_dirty_starting)
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        `on_dirty_starting(arbiter)`: in the dirty arbiter, before it starts its pool.
        """


class DirtyPostFork(Setting):
    name = "dirty_post_fork"
    section = "Dirty Arbiter Hooks"
    validator = validate_callable(2)
    type = callable

    def dirty_post_fork(arbiter: Any, worker: Any) -> None:
        pass

    default = staticmethod(dirty_post_fork)
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        `dirty_post_fork(arbiter, worker)`: in the dirty arbiter, after each fork.
        """


class DirtyWorkerInit(Setting):
    name = "dirty_worker_init"
    section = "Dirty Arbiter Hooks"
    validator = validate_callable(1)
    type = callable

    def dirty_worker_init(worker: Any) -> None:
        pass

    default = staticmethod(dirty_worker_init)
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        `dirty_worker_init(worker)`: in a process of the pool, its classes loaded.
        """


class DirtyWorkerExit(Setting):
    name = "dirty_worker_exit"
    section = "Dirty Arbiter Hooks"
    validator = validate_callable(2)
    type = callable

    def dirty_worker_exit(arbiter: Any, worker: Any) -> None:
        pass

    default = staticmethod(dirty_worker_exit)
    unbuilt = _DIRTY.behind("dirty_workers")
    desc = """\
        `dirty_worker_exit(arbiter, worker)`: in the dirty arbiter, after a process has ended.
        """
