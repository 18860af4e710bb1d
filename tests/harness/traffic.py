"""Honest clients under whom a server is operated: every request that fails is told exactly.

Nothing is sent a second time. A connection that the server has closed before a request was sent on
it is simply not used any more, as connection pools do; everything else that is no correct answer
is a `Failure`. One kind of these no server can rule out: it closes an idle connection while the
next request is on its way (RFC 9112, 9.3.1 and 9.5, let a client repeat that one). They are told
apart as races, and whoever asserts nothing about them says why.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .server import Address
from .wait import until
from .wire import Closed, Response, Wire, get, post

# A request is answered long before, however busy the machine is.
HANG = 40
GIVE_UP = 50


@dataclass(frozen=True)
class Failure:
    """A request without a correct answer."""

    kind: str
    """`refused`: no connection. `silent`: closed or reset without a byte. `cut`: in the middle of
    the answer. `wrong`: another answer. `hang`: none for a long time."""
    id: str
    manner: str
    before: int
    """Requests that were answered on this connection before."""
    port: int
    """The client's, 0 on a unix socket."""
    sent: float
    """When its first byte was about to be sent: CLOCK_MONOTONIC, seconds."""
    at: float
    """When it was known to have failed."""
    what: str

    @property
    def is_race(self) -> bool:
        """The server has closed an idle connection just now."""
        return self.kind == "silent" and self.before > 0


class Client(threading.Thread):
    """One client, which has the same manner all the time.

    Args:
        name: makes its ids differ from other clients', and seeds its dice.
        address: where the server listens.
        manner: how it behaves, one of `MANNERS`.
        over: set when it is time to stop.
    """

    def __init__(self, name: str, address: Address, manner: str, over: threading.Event) -> None:
        super().__init__(name=name)
        self.address = address
        self.manner = manner
        self.over = over
        self.dice = random.Random(name)
        self.asked = 0
        self.answered = 0
        self.connections = 0
        self.told_to_close = 0
        """Answers with `Connection: close` to requests without it."""
        self.found_closed = 0
        """Idle connections that the server has closed, without harm."""
        self.failures: list[Failure] = []
        self.by: Counter[int] = Counter()
        """Answers by worker."""
        self.sent = 0.0
        """When the first byte of its last request was about to be sent."""
        self.fresh = 0
        """Port of a connection on which nothing has been answered yet, 0 when there is none."""

    def run(self) -> None:
        while not self.over.is_set() and len(self.failures) < GIVE_UP:
            if self.manner == "prompt":
                time.sleep(self.dice.uniform(0, 0.02))
            self.connections += 1
            self.sent = time.monotonic()
            try:
                wire = Wire(self.address, timeout=HANG)
            except OSError as error:
                self._fail("refused", "", 0, None, repr(error))
                time.sleep(0.01)
                continue
            with wire:
                self.fresh = _port(wire)
                try:
                    self._converse(wire)
                finally:
                    self.fresh = 0

    def _converse(self, wire: Wire) -> None:
        """Requests one after the other, as long as the connection goes on."""
        before = 0
        while not self.over.is_set():
            MANNERS[self.manner](self, before)
            if before and has_ended(wire):
                self.found_closed += 1
                return
            self.asked += 1
            name = f"{self.name}-{self.asked}"
            if not self._ask(wire, name, before):
                return
            before += 1
            self.fresh = 0

    def _ask(self, wire: Wire, name: str, before: int) -> bool:
        """One request and its answer; whether the connection goes on."""
        closing = self.manner in ("closing", "prompt")
        pieces, body = self._request(name, closing)
        wire.received.clear()
        self.sent = time.monotonic()
        try:
            # The answer, if there is one, counts, not that a request could not be sent whole.
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                for piece in pieces:
                    wire.send(piece)
                    if piece is pieces[-1]:
                        break
                    if b"\r\nExpect:" not in piece:
                        time.sleep(self.dice.uniform(0, 0.02))
                    elif not wire.peek_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100"):
                        break
            response = wire.response()
        except TimeoutError:
            return self._fail("hang", name, before, wire, repr(bytes(wire.received[:80])))
        except (Closed, ConnectionResetError, BrokenPipeError) as error:
            kind = "cut" if wire.received else "silent"
            return self._fail(kind, name, before, wire, repr(error)[:200])
        if (response.status, response.header("X-Id"), response.body) != (200, name, body):
            return self._fail("wrong", name, before, wire, _brief(response))
        self.answered += 1
        self.by[int(response.header("X-Worker") or 0)] += 1
        if response.header("Connection") == "close":
            self.told_to_close += not closing
            if rest := wire.read_to_close():
                return self._fail("wrong", name, before, wire, f"more: {rest[:80]!r}")
            return False
        return True

    def _request(self, name: str, closing: bool) -> tuple[list[bytes], bytes]:
        """A request, in the pieces in which it is sent, and the body of its answer."""
        fields = [f"X-Id: {name}", f"X-Request-Id: {name}"]
        if closing:
            fields.append("Connection: close")
        if self.manner == "uploading":
            body = self.dice.randbytes(self.dice.choice([1, 3000, 100_000]))
            if self.dice.random() < 0.3:
                raw = post("/echo", body, *fields, "Expect: 100-continue")
                return [raw[: -len(body)], body], body
            raw = post("/echo", body, *fields)
            cut = self.dice.randrange(len(raw))
            return [raw[:cut], raw[cut:]], body
        if self.manner == "napping":
            return [get(f"/nap/{self.dice.uniform(0.01, 0.06):.3f}", *fields)], b"nap"
        if self.dice.random() < 0.1:
            return [get("/bytes?n=300000", *fields)], b"x" * 300_000
        return [get("/hello", *fields)], b"Hello, World!"

    def _fail(self, kind: str, name: str, before: int, wire: Wire | None, what: str) -> bool:
        port = _port(wire) if wire is not None else 0
        now = time.monotonic()
        failure = Failure(kind, name, self.manner, before, port, self.sent, now, what)
        self.failures.append(failure)
        return False


def _closing(client: Client, before: int) -> None:
    """A connection for each request, and says so; the pause makes room for others' ports."""
    time.sleep(client.dice.uniform(0, 0.02))


def _prompt(client: Client, before: int) -> None:
    """The same, but the request comes with the connection, as most clients have it: they pause
    before it."""


def _kept(client: Client, before: int) -> None:
    """One request after the other."""
    time.sleep(client.dice.uniform(0, 0.01))


def _pausing(client: Client, before: int) -> None:
    """Idle connections most of the time, the first request not at once either."""
    client.over.wait(client.dice.uniform(0, 0.2 if before else 0.05))


MANNERS: dict[str, Callable[[Client, int], None]] = {
    "closing": _closing,
    "prompt": _prompt,
    "kept": _kept,
    "pausing": _pausing,
    "uploading": _kept,
    "napping": _kept,
}


class Traffic:
    """All clients of one test."""

    def __init__(self, address: Address, manners: Sequence[str]) -> None:
        self.over = threading.Event()
        self.clients = [
            Client(f"{manner}{number}", address, manner, self.over)
            for number, manner in enumerate(manners)
        ]

    @property
    def answered(self) -> int:
        return sum(client.answered for client in self.clients)

    @property
    def failures(self) -> list[Failure]:
        """All so far, races among them, in the order they happened."""
        found = [failure for client in self.clients for failure in client.failures]
        return sorted(found, key=lambda failure: failure.at)

    @property
    def workers(self) -> set[int]:
        """Pids that have answered."""
        return set().union(*(client.by for client in self.clients))

    def fresh_ports(self) -> set[int]:
        """Ports of connections on which nothing was answered yet."""
        return {client.fresh for client in self.clients} - {0}

    def wait_answers(self, more: int) -> None:
        """Waits for that many further answers."""
        goal = self.answered + more
        until(lambda: self.answered >= goal, f"{goal} answers", 60, show=self.report)

    def report(self) -> str:
        """What there is to say, for a person."""

        def total(name: str) -> int:
            return sum(getattr(client, name) for client in self.clients)

        kinds = Counter(f"{f.kind}{' (race)' * f.is_race}" for f in self.failures)
        by_kind = Counter(failure.kind for failure in self.failures)
        lines = [
            f"asked {total('asked')}, answered {self.answered}, by {len(self.workers)} workers, "
            f"on {total('connections')} connections; told to close {total('told_to_close')}, "
            f"found closed {total('found_closed')}; failures: {dict(kinds)}",
            # Of the rarest kind first.
            *(str(it) for it in sorted(self.failures, key=lambda it: by_kind[it.kind])[:12]),
        ]
        return "\n".join(lines)

    def assert_nothing_failed(self) -> None:
        """Not a single request, races included."""
        assert not self.failures, self.report()


def _port(wire: Wire) -> int:
    try:
        name = wire.sock.getsockname()
    except OSError:
        return 0
    return name[1] if isinstance(name, tuple) else 0


def has_ended(wire: Wire) -> bool:
    """Whether the server has closed the idle connection; sooner or later than we look."""
    readable, _, _ = select.select([wire.sock], [], [], 0)
    if not readable:
        return False
    try:
        return not wire.sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _brief(response: Response) -> str:
    return f"{response.head[:300]!r} {len(response.body)} {response.body[:60]!r}"


EVERYBODY = ("closing", "kept", "pausing", "pausing", "uploading", "napping")


@contextlib.contextmanager
def traffic(address: Address, manners: Sequence[str] = EVERYBODY) -> Iterator[Traffic]:
    """One client of each manner at it meanwhile; at the end all have closed what they had open."""
    started = Traffic(address, manners)
    for client in started.clients:
        client.start()
    try:
        yield started
    finally:
        started.over.set()
        for client in started.clients:
            client.join(2 * HANG)
    assert not any(client.is_alive() for client in started.clients), "a client hangs"
