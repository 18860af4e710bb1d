"""Clients that send one request after the other on kept-alive connections and count what fails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from .server import Address
from .wait import until
from .wire import Closed, Wire, get, post

BODY = b"0123456789" * 100
PAUSE = 0.02


@dataclass
class Tally:
    """What one client has seen."""

    answered: int = 0
    told_to_close: int = 0
    """Answers with `Connection: close`."""
    failures: list[str] = field(default_factory=list)
    """Requests that were sent and not answered as they should have been."""


class Load:
    """Some clients at work, each in a thread. Every other one pauses between its requests."""

    def __init__(self, address: Address, clients: int, again: bool) -> None:
        self.address = address
        self.again = again
        self.tallies = [Tally() for _ in range(clients)]
        self.enough = threading.Event()
        self.threads = [
            threading.Thread(target=self._use, args=(tally, PAUSE * (i % 2)))
            for i, tally in enumerate(self.tallies)
        ]

    @property
    def answered(self) -> int:
        return sum(tally.answered for tally in self.tallies)

    def assert_nothing_lost(self) -> None:
        failures = [failure for tally in self.tallies for failure in tally.failures]
        assert not failures, f"{len(failures)} of {self.answered}: {failures[:5]}"

    def wait_answers(self, more: int) -> None:
        """Waits for that many further answers."""
        goal = self.answered + more
        until(lambda: self.answered >= goal or self.enough.is_set(), f"{goal} answers")

    def join(self) -> None:
        """Waits for clients that end because their connections do."""
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads), "clients are still at it"

    def _use(self, tally: Tally, pause: float) -> None:
        try:
            while not self.enough.is_set():
                with Wire(self.address) as wire:
                    while self._ask(wire, tally):
                        time.sleep(pause)
                if not self.again:
                    return
        except (Closed, OSError, AssertionError) as error:
            tally.failures.append(f"answer {tally.answered + 1}: {error!r}")

    def _ask(self, wire: Wire, tally: Tally) -> bool:
        """One request; whether the connection goes on."""
        if self.enough.is_set():
            return False
        upload = tally.answered % 2 == 1
        response = wire.send(post("/echo", BODY) if upload else get("/hello")).response()
        assert response.body == (BODY if upload else b"Hello, World!"), response
        tally.answered += 1
        if response.header("Connection") == "close":
            tally.told_to_close += 1
            return False
        return True


@contextlib.contextmanager
def load(address: Address, clients: int = 6, again: bool = True) -> Iterator[Load]:
    """Clients at work meanwhile. Without `again` a client ends when its connection does.

    The first failure of a client is its last request.
    """
    started = Load(address, clients, again)
    for thread in started.threads:
        thread.start()
    try:
        yield started
    finally:
        started.enough.set()
        started.join()
