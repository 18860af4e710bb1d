"""Clients of all manners at once: honest ones, and those that reset, dribble, pipeline and leave.

Each request has an id of its own, and whoever reads an answer compares ids: answers come in the
order of the requests, each at most once. A connection that ends early is `lost`, which happens
when a worker is killed; one on which nothing comes is a hang, which must not happen.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .server import Address
from .wire import Closed, Wire, chunked, get, post

# A request is answered long before, however busy the machine is.
HANG = 40
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Ask:
    """A request and the body of its answer."""

    id: str
    raw: bytes
    body: bytes


class Client(threading.Thread):
    """One client that changes its manners from connection to connection.

    Args:
        number: makes its ids differ from other clients', and seeds its dice.
        addresses: where the server listens.
        over: set when it is time to stop.
    """

    def __init__(self, number: int, addresses: Sequence[Address], over: threading.Event) -> None:
        super().__init__(name=f"client {number}")
        self.number = number
        self.addresses = addresses
        self.over = over
        self.dice = random.Random(number)
        self.asked = 0
        self.doing = ""
        """What the client waits for, for the report."""
        self.answered: Counter[str] = Counter()
        """Answers by manner of the client."""
        self.lost: Counter[str] = Counter()
        """Connections that ended early, by manner."""
        self.wrong: list[str] = []
        """What must not happen."""

    def run(self) -> None:
        manners = [
            self.converse,
            self.pipeline,
            self.dribble,
            self.half_close,
            self.reset,
            self.abandon,
            self.idle,
            self.stop_reading,
            self.talk_rubbish,
        ]
        while not self.over.is_set() and len(self.wrong) < 5:
            manner = self.dice.choice(manners)
            try:
                with Wire(self.dice.choice(self.addresses), timeout=HANG) as wire:
                    manner(wire)
            except (Closed, ConnectionResetError, BrokenPipeError):
                self.lost[manner.__name__] += 1
            except Exception as error:
                # shutdown(2) on a connection that was reset before.
                if isinstance(error, OSError) and error.errno == errno.ENOTCONN:
                    self.lost[manner.__name__] += 1
                    continue
                # A time out among them.
                self.wrong.append(f"{self.name}, {manner.__name__}: {error!r}, {self.doing}")

    def ask(self) -> Ask:
        """A request that was never made before."""
        self.asked += 1
        name = f"c{self.number}-{self.asked}"
        field = f"X-Id: {name}"
        body = self.dice.randbytes(self.dice.choice([1, 100, 3000]))
        kind = self.dice.randrange(10)
        if kind == 0:
            body = body[:1] * 100_000
        if kind <= 2:
            return Ask(name, post("/echo", body, field), body)
        if kind <= 4:
            head = get("/echo", field, "Transfer-Encoding: chunked", method="POST")
            return Ask(name, head + chunked(body, b"end"), body + b"end")
        if kind == 5:
            return Ask(name, get("/bytes?n=300000", field), b"x" * 300_000)
        if kind == 6:
            return Ask(name, get("/stream", field), b"onetwothree")
        if kind == 7:
            return Ask(name, get(f"/nap/{self.dice.uniform(0, 0.05):.3f}", field), b"nap")
        if kind == 8:
            return Ask(name, get(f"/burn/{self.dice.uniform(0, 0.01):.3f}", field), b"burn")
        return Ask(name, get("/hello", field), b"Hello, World!")

    def several(self) -> list[Ask]:
        """Requests that can be sent without reading an answer meanwhile: a server may stop to read
        while answers wait, and a socket holds about 200 KB."""
        asks = [self.ask()]
        while len(asks) < 6 and self.dice.random() < 0.7 and sum(len(a.raw) for a in asks) < 60_000:
            asks.append(self.ask())
        return asks

    def answer(self, wire: Wire, ask: Ask, manner: str) -> bool:
        """Reads and judges one answer; whether another may come on this connection."""
        self.doing = f"waits for {ask.id} {ask.raw[:30]!r}"
        response = wire.response()
        if (response.status, response.header("X-Id")) != (200, ask.id):
            self.wrong.append(f"{self.name}, {manner}: {ask.id} answered by {response.head!r}")
            return False
        if response.body != ask.body:
            self.wrong.append(f"{self.name}, {manner}: {ask.id} has {response.body[:80]!r}")
        self.answered[manner] += 1
        return response.header("Connection") != "close"

    def nothing_more(self, wire: Wire, manner: str) -> None:
        if rest := wire.read_to_close():
            self.wrong.append(f"{self.name}, {manner}: more than was asked for: {rest[:200]!r}")

    def converse(self, wire: Wire, manner: str = "converse") -> None:
        for ask in self.several():
            wire.send(ask.raw)
            if not self.answer(wire, ask, manner):
                self.nothing_more(wire, manner)
                return

    def pipeline(self, wire: Wire) -> None:
        asks = self.several()
        self.doing = f"sends {[(ask.id, ask.raw[:20], len(ask.raw)) for ask in asks]}"
        wire.send(b"".join(ask.raw for ask in asks))
        for ask in asks:
            if not self.answer(wire, ask, "pipeline"):
                # What was behind it may meet a closed socket.
                with contextlib.suppress(ConnectionResetError):
                    self.nothing_more(wire, "pipeline")
                return

    def dribble(self, wire: Wire) -> None:
        ask = self.ask()
        for piece in self.pieces(ask.raw, 12):
            wire.send(piece)
            time.sleep(self.dice.uniform(0, 0.01))
        self.answer(wire, ask, "dribble")

    def half_close(self, wire: Wire) -> None:
        asks = self.several()
        self.doing = f"sends {[(ask.id, ask.raw[:20], len(ask.raw)) for ask in asks]}"
        wire.send(b"".join(ask.raw for ask in asks)).half_close()
        for ask in asks:
            if not self.answer(wire, ask, "half_close"):
                break
        self.nothing_more(wire, "half_close")

    def reset(self, wire: Wire) -> None:
        """At any point: in the head, in the body, when all is sent, behind another request."""
        raw = b"".join(ask.raw for ask in self.several())
        wire.send(raw[: self.dice.randrange(len(raw) + 1)])
        time.sleep(self.dice.uniform(0, 0.02))
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def abandon(self, wire: Wire) -> None:
        """Leaves while its request runs, or with bytes it has not read."""
        asks = self.several()
        wire.send(b"".join(ask.raw for ask in asks))
        for ask in asks[: self.dice.randrange(len(asks))]:
            if not self.answer(wire, ask, "abandon"):
                return

    def idle(self, wire: Wire) -> None:
        ask = self.ask()
        if self.answer(wire.send(ask.raw), ask, "idle"):
            self.over.wait(self.dice.choice([0.01, 0.1, 1]))
            self.converse(wire, "idle")

    def stop_reading(self, wire: Wire) -> None:
        """Asks for more than the kernel takes, and reads the beginning of it."""
        self.asked += 1
        name = f"c{self.number}-{self.asked}"
        wire.send(get("/bytes?n=5000000", f"X-Id: {name}"))
        wire.read_until(b"\r\n\r\n")
        self.over.wait(self.dice.uniform(0, 0.2))
        self.answered["stop_reading"] += 1

    def talk_rubbish(self, wire: Wire) -> None:
        wire.send(self.dice.choice([b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n"]))
        if (status := wire.response().status) != 400:
            self.wrong.append(f"{self.name}: rubbish answered with {status}")
        self.answered["talk_rubbish"] += 1
        self.nothing_more(wire, "talk_rubbish")

    def pieces(self, raw: bytes, count: int) -> list[bytes]:
        cuts = sorted(self.dice.randrange(len(raw) + 1) for _ in range(count))
        return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


@contextlib.contextmanager
def storm(addresses: Sequence[Address], clients: int) -> Iterator[list[Client]]:
    """`clients` at it meanwhile; at the end all have closed what they had open."""
    over = threading.Event()
    all_clients = [Client(number, addresses, over) for number in range(clients)]
    for client in all_clients:
        client.start()
    try:
        yield all_clients
    finally:
        over.set()
        for client in all_clients:
            client.join(2 * HANG)
    assert not any(client.is_alive() for client in all_clients), "a client hangs"
