"""Slow clients: how long an honest one waits beside many that send their heads byte by byte."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles

from loadbench.answers import check_answer, connect, read_answer
from loadbench.errors import BenchError
from loadbench.paths import LOAD
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT
from loadbench.server import Server

_PAUSE_S = 0.1
_READY_LIMIT_S = 30.0
_HONEST_LIMIT_S = 3.0
_WARM_UP_S = 0.3
# At a tenth of a second per byte and 200 clients: 2,000 bytes each second.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Dribble:
    """One honest client, one request after the other: alone, then among `clients` slow ones."""

    server: str
    clients: int
    alone_requests: int
    alone_p50_ms: float
    alone_p99_ms: float
    among_requests: int
    among_p50_ms: float | None
    """None when a request was not answered within 3 s: nothing can be said then."""
    among_p99_ms: float | None
    dropped: int
    """How many slow clients the server has closed before they had an answer."""


def dribble(peer: Peer, plan: Plan) -> Dribble:
    """Both measurements at one server, whose worker may wait for nobody."""
    room = plan.dribblers + 512
    with Server(peer, plan.server_core, threads=plan.threads, connections=room) as server:
        _honest(server.port, _WARM_UP_S)
        alone = _honest(server.port, plan.seconds)
        if alone is None:
            raise BenchError("a client that is alone was not answered")
        with _crowd(server.port, plan) as crowd:
            among = _honest(server.port, plan.seconds)
    p99 = _percentile(among, 99) if among else None
    return Dribble(
        server=peer.name,
        clients=plan.dribblers,
        alone_requests=len(alone),
        alone_p50_ms=_percentile(alone, 50),
        alone_p99_ms=_percentile(alone, 99),
        among_requests=len(among or []),
        among_p50_ms=_percentile(among, 50) if among else None,
        among_p99_ms=p99,
        dropped=crowd["dropped"],
    )


def _honest(port: int, seconds: float) -> list[float] | None:
    """Seconds from sending to the last byte of each answer; with the connecting, where it closes.

    None as soon as one request gets no answer in time.
    """
    request = HELLO_KEPT.request(port)
    waits: list[float] = []
    end = time.perf_counter() + seconds
    sock = None
    try:
        while (start := time.perf_counter()) < end:
            if sock is None:
                sock = connect(port, HELLO_KEPT, _HONEST_LIMIT_S)
            sock.sendall(request)
            answer = read_answer(sock)
            waits.append(time.perf_counter() - start)
            check_answer(answer, HELLO_KEPT)
            if answer.closes(HELLO_KEPT):
                sock.close()
                sock = None
    except TimeoutError:
        return None
    finally:
        if sock is not None:
            sock.close()
    return waits


@contextmanager
def _crowd(port: int, plan: Plan) -> Iterator[dict[str, int]]:
    """The slow clients, in a program of their own on the client's core; what they did, at the end.

    Raises BenchError when they have not sent what they should have, or got wrong answers.
    """
    command = ["taskset", "-c", str(plan.client_core), sys.executable, "-m", "loadbench.dribbler"]
    command += [str(port), str(plan.dribblers), str(_PAUSE_S)]
    program = subprocess.Popen(
        command, cwd=LOAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin is not None and program.stdout is not None
    did: dict[str, int] = {}
    try:
        if not select.select([program.stdout], [], [], _READY_LIMIT_S)[0]:
            raise BenchError("the slow clients do not get their connections")
        if program.stdout.readline() != "ready\n":
            raise BenchError("the slow clients have ended")
        started = time.monotonic()
        yield did
        took = time.monotonic() - started
        said, _ = program.communicate(timeout=_READY_LIMIT_S)
        did.update(json.loads(said))
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
    least = _LEAST_SHARE * plan.dribblers * took / _PAUSE_S
    if did["bytes"] < least or did["wrong"]:
        raise BenchError(f"slow clients: {did}, at least {least:.0f} bytes were to be sent")


def _percentile(waits: list[float], number: int) -> float:
    """In milliseconds."""
    return quantiles(waits, n=100)[number - 1] * 1e3 if len(waits) > 1 else waits[0] * 1e3
