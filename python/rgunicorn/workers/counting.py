"""Requests of worker classes with a loop of their own, counted on the scoreboard.

The engine does the same in `src/engine/bill.rs`. A number that such a class can't know it does not
tell, and nobody shows it.
"""

from __future__ import annotations

import contextlib
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rgunicorn._core import Flight, Slot, Timed

# nginx's: the client has closed the connection.
CLIENT_LEFT = 499
# What was said on a socket that the application has taken, only the application knows.
TAKEN = 101


def slot_of(worker: Any) -> Slot | None:
    """The worker's place on the scoreboard; None when its heartbeat is somebody else's."""
    slot: Slot | None = getattr(getattr(worker, "tmp", None), "slot", None)
    return slot


def opens(worker: Any, *numbers: str, room: int = 0) -> None:
    """The worker begins to serve.

    Args:
        worker: the worker.
        numbers: what it tells beside requests and how long these take: names as for `Slot.tell`.
        room: how many requests it can run at once; 0 when nobody knows.
    """
    slot = slot_of(worker)
    if slot is None:
        return
    slot.tell("requests", "whole", *numbers)
    if worker.timekeeper is not None:
        slot.tell("overdue")
    if room:
        slot.set_room(room)
        slot.tell("room")


@contextlib.contextmanager
def at_work(worker: Any) -> Iterator[None]:
    """The block is a request that `worker` runs."""
    slot, since = slot_of(worker), time.monotonic_ns()
    if slot is None:
        yield
        return
    slot.begin_work(since)
    try:
        yield
    finally:
        slot.end_work(since, time.monotonic_ns())


class Bill:
    """One request, from when it goes to the application until it is counted.

    Args:
        worker: who runs it.
        flight: the request as the master sees it.
        timed: who looks at how long it takes.
    """

    def __init__(self, worker: Any, flight: Flight | None = None) -> None:
        self._slot = slot_of(worker)
        self._flight = flight
        self.timed: Timed | None = None
        # Of the response that has begun; 0 before.
        self.status = 0
        self._begun = time.monotonic_ns()
        self._counted = self._slot is None

    def answer(self, status: int, of_app: bool = True) -> None:
        """The request is over: counts it, once.

        Args:
            status: the status code of its response.
            of_app: the time since the beginning was the application's.
        """
        if self._counted or self._slot is None:
            return
        self._counted = True
        if self.timed is not None and not self.timed.claim_count():
            return
        if self._flight is not None:
            self._flight.counted()
        took = max(0, time.monotonic_ns() - self._begun)
        self._slot.count_request(_code(status), took, app_ns=took if of_app else None)

    def end(self, status: int = 500) -> None:
        """The same with the status that was noted, or with this one if there was none."""
        self.answer(self.status or status, of_app=False)

    def note_exception(self) -> None:
        """The application let an exception through."""
        if self._slot is not None:
            self._slot.count_event("exception")


def refuse(worker: Any, status: int) -> None:
    """Counts a request that the application never saw.

    Args:
        worker: who has answered it.
        status: with this code.
    """
    slot = slot_of(worker)
    if slot is not None:
        slot.count_request(_code(status), 0)
        slot.count_event("refused")


def code_of(status: Any) -> int:
    """The code in a status line, such as `200 OK`; 500 when there is none."""
    digits = str(status)[:3]
    return int(digits) if digits.isdigit() else 500


def _code(status: int) -> int:
    return status if 0 <= status < 1000 else 500
