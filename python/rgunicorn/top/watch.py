"""`Watch`: one server over time: what its numbers are per second, and where its successor is."""

from __future__ import annotations

from collections import deque

from rgunicorn.top.document import document
from rgunicorn.top.finding import NotFound, find
from rgunicorn.top.reading import Ended, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.top.reading import Sample

# Values that a graph remembers.
_KEPT = 600


class Watch:
    """Looks at the server that `target` or `pidfile` names, as `finding.find` has it.

    Raises:
        NotFound: there is none, or it must not be looked at.
    """

    def __init__(self, target: str | None = None, pidfile: str | None = None) -> None:
        # Only a file can tell who comes after a server.
        self.pidfile = target if pidfile is None and not _is_pid(target) else pidfile
        self._reader: Reader | None = Reader(find(target, pidfile))
        self._before: Sample | None = None
        self.document: dict[str, Any] = {}
        self.requests: deque[float] = deque(maxlen=_KEPT)
        """Requests per second, one a look."""
        self.p99: deque[float] = deque(maxlen=_KEPT)
        """Seconds; 0 when there was no request."""
        self.look()

    @property
    def has_ended(self) -> bool:
        """There is no server now."""
        return self._reader is None

    def look(self) -> None:
        """Looks once more. Where a server has ended and its pidfile names another one, at that."""
        if self._reader is None and not self._follow():
            return
        assert self._reader is not None
        try:
            sample = self._reader.sample()
        except Ended:
            self._reader = self._before = None
            return
        self.document = document(sample, self._before)
        if self._before is not None:
            rates = self.document.get("rates", {})
            self.requests.append(rates.get("requests", 0.0))
            self.p99.append(rates.get("times", {}).get("app", {}).get("p99", 0.0))
        self._before = sample

    def worker(self, slot: int) -> dict[str, Any] | None:
        """A worker of the document."""
        found: list[dict[str, Any]] = self.document["workers"]
        return next((it for it in found if it["slot"] == slot), None)

    def _follow(self) -> bool:
        if self.pidfile is None:
            return False
        try:
            self._reader = Reader(find(pidfile=self.pidfile))
        except NotFound:
            return False
        return True


def _is_pid(target: str | None) -> bool:
    return target is None or target.isdecimal()
