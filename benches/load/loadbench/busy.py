"""Dispatch: requests that wait behind a busy worker while another one has nothing to do."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace

from loadbench.answers import check_answer, read_answer, verify
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT
from loadbench.server import Server

_SCENARIO = replace(HELLO_KEPT, name="busy", app="scenes:busy", body=None)
# Workers that have bound may still be importing.
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Busy:
    """Rounds of as many concurrent long requests as there are workers of one thread."""

    server: str
    kept_alive: bool
    """On connections that had been used before, or on new ones."""
    workers: int
    requests: int
    waited: int
    """Requests that the application got later than half a request's time after they were sent:
    with no more requests than workers, each of them waited while a worker was idle."""
    most_ms: float
    """The longest time from sending to the application."""


def busy(peer: Peer, plan: Plan, *, kept_alive: bool) -> Busy:
    """`plan.busy_rounds` rounds; each opens its connections anew, so that their places differ."""
    waits: list[float] = []
    with Server(peer, plan.server_core, _SCENARIO, workers=plan.busy_workers, threads=1) as server:
        server.await_workers(plan.busy_workers)
        time.sleep(_SETTLE_S)
        if kept_alive:
            # Raises for a server that closes, which has no kept-alive connections to show.
            kept_alive = verify(server.port, _SCENARIO)[1]
        for _ in range(plan.busy_rounds):
            waits += _round(server.port, plan, kept_alive=kept_alive)
    late = plan.busy_seconds / 2
    return Busy(
        server=peer.name,
        kept_alive=kept_alive,
        workers=plan.busy_workers,
        requests=len(waits),
        waited=sum(wait > late for wait in waits),
        most_ms=max(waits) * 1e3,
    )


def _round(port: int, plan: Plan, *, kept_alive: bool) -> list[float]:
    """Seconds from sending to the application, of one request per worker."""
    slow = replace(_SCENARIO, path=f"/busy/{plan.busy_seconds}")
    request = slow.request(port, close=not kept_alive)
    limit = plan.busy_seconds * (plan.busy_workers + 2) + 5
    socks = []
    try:
        for _ in range(plan.busy_workers):
            sock = socket.create_connection(("127.0.0.1", port), timeout=limit)
            socks.append(sock)
            if kept_alive:
                sock.sendall(_SCENARIO.request(port))
                check_answer(read_answer(sock), _SCENARIO)
        sent = []
        for sock in socks:
            sent.append(time.monotonic())
            sock.sendall(request)
        waits = []
        for sock, when in zip(socks, sent, strict=True):
            answer = read_answer(sock)
            check_answer(answer, slow)
            _pid, started, _ended = answer.body.split()
            waits.append(float(started) - when)
        return waits
    finally:
        for sock in socks:
            sock.close()
