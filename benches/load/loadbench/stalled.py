"""Clients that stall: what each costs, and whether an honest one is served beside them."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace

from loadbench import procfs
from loadbench.answers import read_answer
from loadbench.client import ClosedLoop
from loadbench.crowd import Crowd, settled
from loadbench.errors import BenchError
from loadbench.memory import settled_pss
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT
from loadbench.server import Server

_HONEST_LIMIT_S = 3.0
_WARM_REQUESTS = 500
_READ_AT_LAST = 5
_SCENARIO = replace(HELLO_KEPT, app="scenes:stall")

# Answers below and above what rgunicorn keeps in memory by default (`response_buffer_size`, 1 MiB).
UNREAD = {"reader-512K": 512 << 10, "reader-2M": 2 << 20}
KINDS = {
    "head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc",
    **{
        kind: f"GET /unread/{size} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for kind, size in UNREAD.items()
    },
}


@dataclass(frozen=True)
class Stalled:
    """`clients` stalled clients of one kind at one server."""

    server: str
    kind: str
    clients: int
    held: int
    """Sockets the server had more than before them: the rest waits in the kernel."""
    pss_bytes: int
    """What they added to the server's memory, all together."""
    honest: bool
    """Whether one client that does not stall was answered within 3 seconds meanwhile."""


def stalled(peer: Peer, kind: str, plan: Plan) -> Stalled:
    """Lets `plan.stalled` clients stall in the head, in the body, or without reading the answer."""
    clients = plan.stalled
    room = clients + 512
    with (
        Server(peer, plan.server_core, _SCENARIO, threads=plan.threads, connections=room) as server,
        Crowd(server.port) as crowd,
    ):
        with ClosedLoop(server.port, _SCENARIO, plan.connections) as warm:
            warm.send(_WARM_REQUESTS)
        pss_before = settled_pss(server)
        sockets_before = procfs.socket_count(server.pids)
        crowd.join(clients, KINDS[kind], reads=kind not in UNREAD)
        held = settled(lambda: procfs.socket_count(server.pids) - sockets_before, clients)
        pss = settled_pss(server) - pss_before
        honest = _is_served(server.port)
        if kind in UNREAD and honest:
            _check_kept(crowd, UNREAD[kind])
    return Stalled(peer.name, kind, clients, held, pss, honest)


def _check_kept(crowd: Crowd, size: int) -> None:
    """Raises BenchError when clients that read at last do not get what they had asked for."""
    for answer in crowd.read(_READ_AT_LAST):
        if answer.body != b"r" * size:
            raise BenchError(f"{len(answer.body)} bytes for a client that read late")


def _is_served(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_HONEST_LIMIT_S) as sock:
            sock.sendall(_SCENARIO.request(port, close=True))
            return read_answer(sock).body == _SCENARIO.body
    except (TimeoutError, BenchError):
        return False
