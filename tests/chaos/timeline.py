"""What overlapped when: each disturbance, from begin to end, and what clients met meanwhile."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

AFTERMATH = 2.0
"""Seconds after a disturbance in which what it has done may still be seen: a connection that was
lost is noticed when its client runs again."""


@dataclass
class Entry:
    """A disturbance. Times are CLOCK_MONOTONIC, seconds."""

    name: str
    what: str
    excuses: frozenset[str]
    """Outcomes of requests that it explains: see `clients.Request.outcome`."""
    begin: float
    end: float = float("inf")

    def overlaps(self, begin: float, end: float) -> bool:
        return self.begin <= end and begin <= self.end + AFTERMATH


class Timeline:
    """All that was done to the server. Written to a file as it happens, one JSON object a line.

    Args:
        path: the file.
        say: is told each entry, for whoever watches.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._file = path.open("w")
        self._lock = threading.Lock()
        self._say = say
        self.start = time.monotonic()
        self.strict = False
        """Nothing is excused: shows that what fails is found."""
        self.entries: list[Entry] = []

    @contextlib.contextmanager
    def during(self, name: str, what: str, excuses: frozenset[str]) -> Iterator[Entry]:
        """Notes that `name` is under way meanwhile."""
        entry = Entry(name, what, excuses, time.monotonic())
        with self._lock:
            self.entries.append(entry)
        self.note("begin", name, what)
        try:
            yield entry
        finally:
            entry.end = time.monotonic()
            self.note("end", name, what)

    def note(self, event: str, name: str, what: str) -> None:
        """An event without a length; `what` are its details."""
        at = time.monotonic() - self.start
        line = json.dumps({"at": round(at, 3), "event": event, "name": name, "what": what})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
        self._say(f"{at:7.1f} s  {event:<6} {name}  {what}")

    def overlapping(self, begin: float, end: float) -> list[Entry]:
        """What was under way, or had just ended, at any time between the two."""
        with self._lock:
            return [entry for entry in self.entries if entry.overlaps(begin, end)]

    def excuse(self, outcome: str, begin: float, end: float) -> Entry | None:
        """The disturbance that explains `outcome` of a request that lived from `begin` to `end`."""
        for entry in [] if self.strict else self.overlapping(begin, end):
            if outcome in entry.excuses:
                return entry
        return None

    def ran(self, name: str) -> int:
        """How often the disturbance was there."""
        with self._lock:
            return sum(entry.name == name for entry in self.entries)

    def close(self) -> None:
        self._file.close()
