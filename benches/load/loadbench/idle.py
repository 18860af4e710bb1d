"""Thousands of idle kept-alive connections held open while others are served."""

from __future__ import annotations

from dataclasses import dataclass

from loadbench import procfs
from loadbench.answers import verify
from loadbench.crowd import Crowd, settled
from loadbench.memory import settled_pss
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT
from loadbench.server import Server
from loadbench.timed import Load, loaded
from loadbench.wrk import run_wrk

# Room for the client that is served meanwhile, and for checks.
_SPARE = 512


@dataclass(frozen=True)
class Idle(Load):
    """hello under load, with `connections` idle ones open."""

    server: str
    connections: int
    held: int
    """Sockets the server had more than before them."""
    pss_bytes: int
    """What they added to the server's memory, all together."""
    answered: int
    """How many of them answered another request after the load."""


def idle(peer: Peer, connections: int, plan: Plan) -> Idle | None:
    """Holds `connections` idle ones, serves hello to wrk, then asks each of them once more.

    None for a server that keeps no connection.
    """
    room = connections + _SPARE
    with (
        Server(peer, plan.server_core, threads=plan.threads, connections=room) as server,
        Crowd(server.port) as crowd,
    ):
        answer, kept_alive = verify(server.port, HELLO_KEPT)
        if not kept_alive:
            return None
        # Buffers and threads that the load needs are there before the first reading of memory.
        run_wrk(server.port, HELLO_KEPT, plan.client_core, plan.connections, 1)
        pss_before = settled_pss(server)
        sockets_before = procfs.socket_count(server.pids)
        crowd.join_idle(connections, HELLO_KEPT)
        held = settled(
            lambda: procfs.socket_count(server.pids) - sockets_before, connections, limit_s=5.0
        )
        pss = settled_pss(server) - pss_before
        load = loaded(server, HELLO_KEPT, plan, answer)
        answered = crowd.ask(HELLO_KEPT)
    return Idle(
        **vars(load),
        server=peer.name,
        connections=connections,
        held=held,
        pss_bytes=pss,
        answered=answered,
    )
