"""What every client has: requests with names, told exactly; a gate that lets all of them rest."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apps.soak import filled
from harness.server import Address
from harness.wait import until

HANG = 60
"""Seconds. A request is answered long before, however busy the machine is."""


@dataclass
class Request:
    """A request that was sent. Times are CLOCK_MONOTONIC, seconds."""

    id: str
    client: str
    method: str
    path: str
    body: bytes
    status: int
    """That the answer should have."""
    sent: float
    at: float = 0.0
    """When its outcome was known."""
    before: int = 0
    """Requests answered on this connection before."""
    outcome: str = "open"
    """`answered`: with what it should. `refused`: no connection. `silent`: closed without a byte.
    `cut`: in the middle of the answer. `500` and so on: that page instead. `wrong`: anything else.
    `hang`: nothing. `left`: the client did not stay to see."""
    what: str = ""
    """Details, for a person."""
    worker: int = 0

    @property
    def expected(self) -> bytes:
        """The body of the answer."""
        if self.path == "/echo":
            return self.body
        what, _, argument = self.path[1:].partition("/")
        return filled(self.id, int(argument) if what in ("bytes", "stream") else 40)

    @property
    def field(self) -> str:
        return f"X-Request-ID: {self.id}"

    def judge(self, status: int, body: bytes) -> bool:
        """Notes an answer that came whole; whether it is right."""
        if status == self.status and (status != 200 or body == self.expected):
            self.outcome = "answered"
        elif status >= 500 and status != self.status:
            self.outcome = str(status)
        else:
            self.outcome = "wrong"
            self.what = f"{status}, {len(body)} bytes: {body[:60]!r}"
        return self.outcome == "answered"

    def __str__(self) -> str:
        return f"{self.id} ({self.client}, {self.method} {self.path}): {self.outcome} {self.what}"


class Book:
    """All requests of a run."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.bursts: dict[str, Burst] = {}
        self.rubbish = 0
        """Connections on which something was sent that has no name."""

    def ask(self, client: str, dice: random.Random) -> Request:
        """A request that was never made before. Uploads are of all sizes: in memory, in a spool,
        larger than what is taken in before the application starts."""
        kind = dice.randrange(20)
        method, path, body, status = "GET", "/hello", b"", 200
        if kind < 4:
            size = dice.choice([1, 900, 50_000, 200_000, 1_500_000])
            method, path, body = "POST", "/echo", dice.randbytes(100) * (size // 100 + 1)
        elif kind < 7:
            path = f"/bytes/{dice.choice([0, 1, 5000, 300_000, 2_500_000])}"
        elif kind < 10:
            path = f"/stream/{dice.choice([0, 20_000, 400_000])}"
        elif kind < 12:
            path = f"/nap/{dice.uniform(0, 0.08):.3f}"
        elif kind < 13:
            path = f"/burn/{dice.uniform(0, 0.02):.3f}"
        elif kind == 13:
            path, status = "/mistake", 500
        name = f"{client}-{dice.getrandbits(48):012x}"
        request = Request(name, client, method, path, body, status, time.monotonic())
        self.requests[name] = request
        return request

    def close(self, request: Request) -> None:
        """Its outcome is known: its body is not needed any more."""
        request.at = time.monotonic()
        if request.outcome == "open":
            request.outcome = "left"
        if request.outcome in ("answered", "left"):
            request.body = b""


@dataclass
class Burst:
    """What wrk says of a burst of requests whose names begin with `id`."""

    id: str
    sent: float
    at: float
    answered: int
    connections: int
    status_errors: int
    socket_errors: int


class Gate:
    """Open: clients work. Closed: they end what they are at, and rest without a connection."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._open = threading.Event()

    @contextmanager
    def opened(self) -> Iterator[None]:
        self._open.set()
        try:
            yield
        finally:
            self._open.clear()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    def wait(self) -> bool:
        """Waits until it is open; False when there will be nothing more to do."""
        while not self.over.is_set():
            if self._open.wait(0.05):
                return True
        return False


class Client(threading.Thread):
    """Whoever asks something, again and again.

    Args:
        name: makes its requests' names differ from those of others.
        seed: of its dice, together with the name.
        address: where it connects.
        book: where its requests are entered.
        gate: when it may.
    """

    behaves = True
    """Whether its requests must be answered."""

    def __init__(self, name: str, seed: int, address: Address, book: Book, gate: Gate) -> None:
        super().__init__(name=name, daemon=True)
        self.address = address
        self.book = book
        self.gate = gate
        self.dice = random.Random(f"{seed} {name}")
        self.turns = 0
        self.resting = threading.Event()
        self.broken = ""
        """What has ended it, which is a mistake of the client."""

    def run(self) -> None:
        self.resting.set()
        while self.gate.wait():
            self.resting.clear()
            try:
                self.turn()
                self.turns += 1
            except Exception as error:
                self.broken = f"{self.name}: {error!r}"
                return
            finally:
                self.resting.set()

    def turn(self) -> None:
        """What it does once: a conversation, a burst."""
        raise NotImplementedError

    def ask(self) -> Request:
        return self.book.ask(self.name, self.dice)

    def pause(self, most: float) -> None:
        time.sleep(self.dice.uniform(0, most))


def all_rest(clients: list[Client]) -> None:
    """Waits until each of them has nothing open."""

    def rest() -> bool:
        return all(client.resting.is_set() for client in clients)

    busy = "clients to rest: " + ", ".join(client.name for client in clients)
    until(rest, busy, 3 * HANG)
