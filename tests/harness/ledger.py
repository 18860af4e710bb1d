"""Who ran which request from when to when, and which request waited though somebody was free.

The other half of `apps/ledger.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One request inside the application. Times are seconds of CLOCK_MONOTONIC."""

    id: str
    pid: int
    thread: str
    began: float
    ended: float = math.inf
    """Infinite while it runs, and for one whose worker was killed."""


@dataclass(frozen=True)
class Wait:
    """A request that somebody could have run sooner."""

    id: str
    seconds: float
    """The longest time without a break in which a slot was free and the request there."""


class Ledger:
    """The file that the application writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def runs(self) -> list[Run]:
        """All runs so far, in the order in which they began.

        Raises:
            AssertionError: a request ran twice.
        """
        begun: dict[str, Run] = {}
        for event, name, *facts in self._lines():
            if event == "loaded":
                continue
            pid, thread, moment = facts
            if event == "began":
                assert name not in begun, f"{name} ran twice: {begun[name]}, then in {pid} {thread}"
                begun[name] = Run(name, int(pid), thread, float(moment))
            else:
                run = begun[name]
                begun[name] = Run(name, run.pid, run.thread, run.began, float(moment))
        return list(begun.values())

    def loaded(self) -> set[int]:
        """Pids of the workers that have imported the application."""
        return {int(pid) for event, pid, *_ in self._lines() if event == "loaded"}

    def run(self, name: str) -> Run | None:
        """The run of the request `name`, None when it has not begun."""
        return next((run for run in self.runs() if run.id == name), None)

    def _lines(self) -> list[list[str]]:
        text = self.path.read_text() if self.path.exists() else ""
        # A line that crosses a page of the file is seen in two steps: a reader takes no lock.
        whole, _, _ = text.rpartition("\n")
        return [line.split(" ") for line in whole.splitlines()]


def waits(
    sent: Mapping[str, float], runs: Iterable[Run], slots: int, tolerance: float
) -> list[Wait]:
    """The requests that waited longer than `tolerance` seconds while a slot was free.

    Args:
        sent: when each request was complete, by its id.
        runs: all runs that may have occupied a slot meanwhile, those of `sent` among them.
        slots: how many requests the application can run at once, over all workers.
        tolerance: how long a free slot may take to pick a request up. Many short times do not add
            up: a machine with other work to do makes those.

    Raises:
        KeyError: a request of `sent` never began.
    """
    all_runs = list(runs)
    by_id = {run.id: run for run in all_runs}
    found = []
    for name, moment in sent.items():
        free = _longest_free(moment, by_id[name].began, all_runs, slots)
        if free > tolerance:
            found.append(Wait(name, free))
    return found


def _longest_free(start: float, end: float, runs: list[Run], slots: int) -> float:
    """The longest part of `start` to `end` in which fewer than `slots` of `runs` go on."""
    # Ends before beginnings at the same moment: a slot is free before it is taken again.
    changes = sorted(
        [(run.began, 1) for run in runs if run.began < end]
        + [(run.ended, -1) for run in runs if run.ended < end]
    )
    longest = 0.0
    running, since = 0, start
    for moment, change in [*changes, (end, 0)]:
        if running < slots:
            longest = max(longest, moment - since)
        # A free time goes on while there is a slot left on both sides of the change.
        if running >= slots or running + change >= slots:
            since = max(start, moment)
        running += change
    return longest
