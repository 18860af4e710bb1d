"""Reload under load: requests that fail while the application is loaded anew."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from loadbench.answers import check_answer, connect, read_answer
from loadbench.errors import BenchError
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import BY_NAME, Scenario
from loadbench.server import Server

_WORKERS = 2
_CLIENTS = 4  # of each manner
_BEFORE_S, _BETWEEN_S = 0.4, 0.3
_RELOAD_LIMIT_S = 20.0
_JOIN_LIMIT_S = 30.0
_AFTER_FAILURE_S = 0.01


@dataclass
class Tally:
    """What one client saw."""

    requests: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def _sum(tallies: list[Tally]) -> Tally:
    failed = sum((one.failed for one in tallies), Counter[str]())
    return Tally(sum(one.requests for one in tallies), failed)


@dataclass(frozen=True)
class Reload:
    """`reloads` reloads of 2 workers under clients that keep their connections, and that do not."""

    server: str
    reloads: int
    seconds: float
    """All reloads together, from the signal until no old worker is left."""
    kept_requests: int
    kept_failed: dict[str, int]
    """By what happened."""
    closing_requests: int
    closing_failed: dict[str, int]

    @property
    def failed(self) -> int:
        """All of them."""
        return sum(self.kept_failed.values()) + sum(self.closing_failed.values())


def reload_under_load(peer: Peer, plan: Plan) -> Reload:
    """Raises BenchError when a reload does not come to its end in 20 s."""
    tallies = {"keepalive": [Tally() for _ in range(_CLIENTS)]}
    tallies["close"] = [Tally() for _ in range(_CLIENTS)]
    stop = threading.Event()
    with Server(peer, plan.server_core, workers=_WORKERS, threads=plan.threads) as server:
        server.await_workers(_WORKERS)
        clients = [
            threading.Thread(target=_client, args=(server.port, BY_NAME[name], tally, stop))
            for name, own in tallies.items()
            for tally in own
        ]
        for one in clients:
            one.start()
        try:
            time.sleep(_BEFORE_S)
            seconds = 0.0
            for _ in range(plan.reloads):
                seconds += _reload(server)
                time.sleep(_BETWEEN_S)
        finally:
            stop.set()
            for one in clients:
                one.join(_JOIN_LIMIT_S)
    kept, closing = _sum(tallies["keepalive"]), _sum(tallies["close"])
    return Reload(
        server=peer.name,
        reloads=plan.reloads,
        seconds=seconds,
        kept_requests=kept.requests,
        kept_failed=dict(kept.failed),
        closing_requests=closing.requests,
        closing_failed=dict(closing.failed),
    )


def _reload(server: Server) -> float:
    """Seconds until none of the workers is one that was there before."""
    old = set(server.serving_pids)
    started = time.monotonic()
    server.reload()
    while True:
        time.sleep(0.05)
        now = set(server.serving_pids)
        if not now & old and len(now) >= _WORKERS:
            return time.monotonic() - started
        if time.monotonic() - started > _RELOAD_LIMIT_S:
            raise BenchError(f"not reloaded in {_RELOAD_LIMIT_S:.0f} s: {len(now & old)} left")


def _client(port: int, scenario: Scenario, tally: Tally, stop: threading.Event) -> None:
    """One request after the other; each that has no right answer has failed, none is sent twice.

    A connection that was closed between two requests is not used again: every client looks.
    """
    request = scenario.request(port)
    sock: socket.socket | None = None
    while not stop.is_set():
        if sock is not None and select.select([sock], [], [], 0)[0]:
            sock.close()
            sock = None
        tally.requests += 1
        try:
            if sock is None:
                sock = connect(port, scenario)
            sock.sendall(request)
            answer = read_answer(sock)
            check_answer(answer, scenario)
            if not answer.closes(scenario):
                continue
        except (BenchError, OSError) as error:
            tally.failed[_named(error)] += 1
            # One that is refused at once would be so a thousand times before anybody can listen.
            stop.wait(_AFTER_FAILURE_S)
        if sock is not None:
            sock.close()
            sock = None
    if sock is not None:
        sock.close()


def _named(error: Exception) -> str:
    if isinstance(error, OSError):
        return type(error).__name__
    said = str(error)
    if said.startswith("connection closed after"):
        return "closed without an answer" if said.endswith("b''") else "answer cut off"
    return "wrong answer"
