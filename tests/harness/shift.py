"""Workers made busy on purpose, and connections put where a test wants them.

For servers that run `ledger:app`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .ledger import Ledger, Run
from .mode import Mode
from .server import Address, Server, Spawn
from .uwsgi import request
from .wait import until
from .wire import Response, Wire, get


@dataclass
class Gate:
    """A request that stays inside the application until it is let go."""

    path: Path
    wire: Wire
    run: Run

    def let_go(self) -> Response:
        """Lets the request end; its response."""
        self.path.touch()
        with self.wire:
            return self.wire.response()


class Shift:
    """A server that runs `ledger:app`, with what it takes to decide who is busy."""

    def __init__(self, server: Server, threads: int = 1) -> None:
        self.server = server
        self.threads = threads
        self.ledger = Ledger(server.directory / "ledger")
        self._numbers = itertools.count()

    @property
    def address(self) -> Address:
        return self.server.address

    @property
    def workers(self) -> list[int]:
        return self.server.workers()

    def new_id(self, what: str = "r") -> str:
        """A name for a request, never given before."""
        return f"{what}-{next(self._numbers)}"

    def get(self, path: str, *headers: str, id: str = "") -> bytes:
        """A request that is entered in the ledger."""
        name = id or self.new_id()
        if self.server.settings.get("protocol") == "uwsgi":
            assert not headers, "not needed so far"
            return request(path, HTTP_X_ID=name)
        return get(path, f"X-Id: {name}", *headers)

    def enter(self) -> Gate:
        """A request that is inside the application, in whichever worker."""
        name = self.new_id("gate")
        path = self.server.directory / name
        wire = Wire(self.address).send(self.get(f"/gate{path}", id=name))
        try:
            return Gate(path, wire, self.wait_for(name))
        except BaseException:
            # Or it would occupy a thread in all tests that share the server.
            path.touch()
            raise

    def wait_for(self, name: str) -> Run:
        """Waits until the request `name` has begun."""
        run = until(lambda: self.ledger.run(name), f"{name} to begin", show=self.server.log)
        assert run is not None
        return run

    def occupy(self, *pids: int) -> list[Gate]:
        """Requests that occupy every thread of the workers `pids`, and nobody else's.

        Which worker gets a request is the server's choice. One that went elsewhere stays where it
        is until all are where they should be, so that every worker is full at the latest then.
        """
        wanted = Counter(dict.fromkeys(pids, self.threads))
        inside: list[Gate] = []
        astray: list[Gate] = []
        while wanted.total():
            gate = self.enter()
            (inside if wanted[gate.run.pid] else astray).append(gate)
            if wanted[gate.run.pid]:
                wanted[gate.run.pid] -= 1
        for gate in astray:
            gate.let_go()
        return inside

    @contextlib.contextmanager
    def occupied(self, *pids: int) -> Iterator[None]:
        """The workers `pids` have no thread free meanwhile."""
        gates = self.occupy(*pids)
        try:
            yield
        finally:
            responses = [gate.let_go() for gate in gates]
        assert [response.body for response in responses] == [b"gate"] * len(gates)

    @contextlib.contextmanager
    def only(self, pid: int) -> Iterator[None]:
        """Nobody but the worker `pid` is free meanwhile: what connects now lands there."""
        with self.occupied(*(other for other in self.workers if other != pid)):
            yield

    def settle(self, address: Address | None = None) -> None:
        """Waits until all connections so far were accepted: one that came after them is served."""
        with Wire(address or self.address) as after:
            assert after.send(self.get("/hello")).response().status == 200

    def park(self, count: int) -> tuple[int, list[Wire]]:
        """Kept-alive connections that have had a request and live in the same worker; its pid."""
        by_pid: dict[int, list[Wire]] = {}
        full = None
        # By then some worker has `count` of them.
        for _ in range((count - 1) * len(self.workers) + 1):
            wire = Wire(self.address)
            pid = worker(wire.send(get("/hello")).response())
            by_pid.setdefault(pid, []).append(wire)
            if len(by_pid[pid]) == count:
                full = pid
                break
        assert full is not None, {pid: len(wires) for pid, wires in by_pid.items()}
        for pid, wires in by_pid.items():
            for wire in wires if pid != full else ():
                wire.close()
        return full, by_pid[full]


Start = Callable[..., Shift]
"""`start(kind, config="", workers=2, **settings)`: what the dispatch suite's fixtures hand out."""


def worker(response: Response) -> int:
    """The pid of the worker that gave the response."""
    assert response.status == 200, response
    return int(response.header("X-Worker") or 0)


def start_shift(
    spawn: Spawn,
    settings: dict[str, object],
    transport: str = "tcp",
    **fields: object,
) -> Shift:
    """A server of `ledger:app`, all workers of which have loaded it.

    `settings` has `workers` and, for gthread, `threads`.
    """
    count = int(str(settings.get("workers", 1)))
    # A relative path: next to the server's own files.
    env = {"LEDGER": "ledger"}
    mode = Mode(transport=transport)
    server = spawn("ledger:app", mode, ready=False, settings=settings, env=env, **fields)
    server.wait_ready(count)
    shift = Shift(server, int(str(settings.get("threads", 1))))
    until(
        lambda: set(server.workers()) <= shift.ledger.loaded(),
        "all workers to load the application",
        show=server.log,
    )
    return shift
