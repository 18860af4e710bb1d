"""Memory of a running server: proportional set size, once it stands still."""

from __future__ import annotations

import time
from dataclasses import dataclass

from loadbench import procfs
from loadbench.client import ClosedLoop
from loadbench.errors import BenchError
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT, Scenario
from loadbench.server import Server

_WORKERS = 4
_REQUESTS = 2000
_SETTLE_LIMIT_S = 30.0
_SETTLED_SHARE, _SETTLED_BYTES = 0.002, 256 * 1024
_BUSY_S = 0.1


@dataclass(frozen=True)
class Memory:
    """Sum of PSS over master and workers, after they have served."""

    server: str
    bytes: int
    processes: int
    scenario: str = "keepalive"
    preload: bool | None = None
    """Whether the application was imported before the fork; None is the server's default."""


def memory_of(
    peer: Peer, plan: Plan, scenario: Scenario = HELLO_KEPT, *, preload: bool | None = None
) -> Memory:
    """Master and 4 workers after requests."""
    with Server(
        peer,
        plan.server_core,
        scenario,
        workers=_WORKERS,
        threads=plan.threads,
        preload=preload,
    ) as server:
        server.await_workers(_WORKERS)
        with ClosedLoop(server.port, scenario, plan.connections) as client:
            client.send(_REQUESTS)
        used, processes = settled_pss(server), len(server.pids)
    return Memory(peer.name, used, processes, scenario.name, preload)


def settled_pss(server: Server) -> int:
    """Bytes of PSS of the whole process tree, read until two readings agree and it does nothing."""
    end = time.monotonic() + _SETTLE_LIMIT_S
    now, worked = procfs.pss_bytes(server.pids), procfs.cpu_time(server.pids)
    while True:
        time.sleep(0.5)
        earlier, worked_earlier = now, worked
        now, worked = procfs.pss_bytes(server.pids), procfs.cpu_time(server.pids)
        still = abs(now - earlier) <= max(now * _SETTLED_SHARE, _SETTLED_BYTES)
        if still and (worked - worked_earlier).total <= _BUSY_S:
            return now
        if time.monotonic() > end:
            raise BenchError(f"memory does not stand still: {earlier} then {now} bytes")
