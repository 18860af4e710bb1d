"""`Autoscale`: the number of workers follows the load, between `min_workers` and `max_workers`.

What the number should be is decided in `src/fleet/scale.rs`; here the workers are looked at, and it
is done.
"""

from __future__ import annotations

import time

from rgunicorn import cpus
from rgunicorn._core import Scaler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import Fleet
    from rgunicorn.arbiter import Arbiter
    from rgunicorn.config import Config


class Autoscale:
    """The number of workers of one master, as its configuration wants it."""

    #: Seconds between two looks at the workers.
    INTERVAL = 1.0
    #: Seconds that it must have been calm before one worker leaves; more after each time that the
    #: number went down only to go up again.
    CALM = 30.0

    def __init__(self) -> None:
        self._scaler: Scaler | None = None
        self._shape: tuple[int, int, int] | None = None

    def begin(self, server: Arbiter, before: int | None) -> int:
        """A configuration comes into force. Returns how many workers it begins with.

        Args:
            before: how many there are to be so far, None at the start. What the load has made of
                it stays, as far as the new limits allow.
        """
        cfg = server.cfg
        if not cfg.max_workers:
            self._scaler = self._shape = None
            return cfg.workers
        shape = (cfg.min_workers, cfg.max_workers, server.worker_class.capacity(cfg))
        followed = self._shape is not None
        if shape != self._shape:
            self._scaler, self._shape = Scaler(*shape, self.INTERVAL, self.CALM), shape
        # 0 is a daemon that was told to stop its workers (WINCH): a reload brings them back.
        number = before if followed and before else cfg.workers
        return min(max(number, cfg.min_workers), cfg.max_workers)

    def shift(self, server: Headcount, by: int) -> None:
        """TTIN and TTOU: one worker more or fewer, as far as the limits allow; says so if not."""
        number = server.num_workers + by
        if self._shape is not None:
            low, high, _ = self._shape
            # Below the least there is a way up: WINCH has stopped all.
            if number < low if by < 0 else number > high:
                name = "min_workers" if by < 0 else "max_workers"
                server.log.info("Ignored: %s = %s", name, getattr(server.cfg, name))
                return
        server.num_workers = number
        server.manage_workers()

    def look(self, server: Arbiter) -> None:
        """Looks at the workers, when it is time, and changes their number, when it has to be."""
        scaler, now = self._scaler, time.monotonic_ns()
        if scaler is None or not scaler.is_due(now):
            return
        old = server.num_workers
        if server._pending is not None or not old:
            # Two generations share the load, or there shall be no workers.
            scaler.start_over()
            return
        slots = [
            (pid, worker.tmp.slot)
            for pid, worker in server.WORKERS.items()
            if hasattr(worker.tmp, "slot")
        ]
        # Unix sockets do not tell (-1), nor do listeners that the workers have opened.
        waiting = sum(max(0, listener.get_backlog()) for listener in server.LISTENERS)
        change = scaler.observe(server._fleet, old, slots, waiting, now)
        if change is None:
            return
        number, leaver, why = change
        server.log.info("Scaling from %s to %s workers: %s", old, number, why)
        server.num_workers = number
        if leaver is not None:
            server._perform(server._fleet.dismiss(leaver, time.monotonic_ns()))
        server.manage_workers()


class Headcount:
    """The part of the master that knows how many workers there are to be."""

    cfg: Config
    _fleet: Fleet
    _autoscale: Autoscale
    log: Any
    _num_workers: int | None = None

    if TYPE_CHECKING:

        def manage_workers(self) -> None: ...

    @property
    def num_workers(self) -> int:
        """How many workers are to run; setting it calls the `nworkers_changed` hook."""
        return self._num_workers or 0

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        old, self._num_workers = self._num_workers, value
        self._fleet.set_target(value)
        self.cfg.nworkers_changed(self, value, old)

    def handle_ttin(self) -> None:
        """SIGTTIN: one worker more."""
        self._autoscale.shift(self, 1)

    def handle_ttou(self) -> None:
        """SIGTTOU: one worker fewer, down to one."""
        if self.num_workers > 1:
            self._autoscale.shift(self, -1)


def describe(server: Arbiter) -> None:
    """Logs how many workers there are to be, where that is not what the configuration says."""
    cfg = server.cfg
    if isinstance(cfg.workers, cpus.Auto):
        count = int(cfg.workers)
        noun = "worker" if count == 1 else "workers"
        server.log.info("Using %s %s (auto: %s)", count, noun, cfg.workers.cpus)
    if cfg.max_workers:
        server.log.info(
            "Using %s to %s workers, %s to begin with",
            cfg.min_workers,
            cfg.max_workers,
            server.num_workers,
        )
