"""The scoreboard of a running server, as whoever may look into its master's descriptors sees it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .wait import until


def display(pid: int) -> Any:
    """The scoreboard of the master `pid`; it stays mapped."""
    # Not at the top: the suite also runs beside a Gunicorn alone.
    from rgunicorn import _core

    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        with contextlib.suppress(OSError):
            if "rgunicorn-scoreboard" not in os.readlink(path):
                continue
            fd = os.open(path, os.O_RDONLY)
            try:
                return _core.Display(fd)
            finally:
                os.close(fd)
    raise AssertionError(f"process {pid} has no scoreboard")


@dataclass
class Total:
    """What all workers together have counted; what none of them tells is not there."""

    requests: int = 0
    responses: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    """How many requests each histogram has."""
    bytes_in: int = 0
    bytes_out: int = 0

    @classmethod
    def of(cls, snapshot: Any) -> Total:
        total = cls()
        for worker in snapshot["workers"]:
            total.requests += worker.get("requests", 0)
            total.bytes_in += worker.get("bytes_in", 0)
            total.bytes_out += worker.get("bytes_out", 0)
            _add(total.responses, worker.get("responses", {}))
            _add(total.events, worker["events"])
            times = {name: sum(it["buckets"]) for name, it in worker["histograms"].items()}
            _add(total.times, times)
        return total

    def since(self, before: Total) -> Total:
        """What has come since `before`; only what is not 0."""

        def less(now: dict[str, int], then: dict[str, int]) -> dict[str, int]:
            rest = {name: n - then.get(name, 0) for name, n in now.items()}
            return {name: n for name, n in rest.items() if n}

        return Total(
            self.requests - before.requests,
            less(self.responses, before.responses),
            less(self.events, before.events),
            less(self.times, before.times),
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


def _add(into: dict[str, int], more: dict[str, int]) -> None:
    for name, n in more.items():
        into[name] = into.get(name, 0) + n


class Board:
    """The scoreboard of one server.

    Args:
        pid: its master.
    """

    def __init__(self, pid: int) -> None:
        self._display = display(pid)

    def snapshot(self) -> Any:
        return self._display.snapshot()

    def total(self) -> Total:
        return Total.of(self.snapshot())

    def wait(self, what: str, condition: Callable[[Any], bool], seconds: float = 20) -> Any:
        """Waits for a snapshot of which `condition` is true."""

        def look() -> Any:
            snapshot = self.snapshot()
            return snapshot if condition(snapshot) else None

        return until(look, what, seconds, show=lambda: repr(self.snapshot()))
