"""What a whole request costs: a real server under callgrind, and a client that sends marks, too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import callgrind
from harness.callgrind import Counted
from harness.server import TESTS, Command, Server, free_port, under_test
from harness.wire import Wire

BROWSER = (TESTS.parent / "benches/cases/browser.http").read_bytes()
PATIENCE = 120
"""Seconds that one answer may take."""
WARM, FEW, MANY, ROUNDS = 60, 20, 140, 3
"""Of the rounds the cheapest counts: what comes by now and then (the collector of all of Python's
garbage, a look at the clock's second) only adds to the others."""
MOST_ROUNDS = 12
FIRST = ("nice", "-n", "-20")
"""Before the server's command: a call from which another process takes the CPU for a while looks
like one that waits, and gthread gives the next 200 to other threads (src/engine/pace.rs), which is
dearer. Who may not do so is told by nice(1), and the program runs."""


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


REQUESTS = {
    "hello": get("/"),
    "browser": BROWSER,
    "100 KiB response": get("/large"),
    "64 KiB upload": post("/upload", b"u" * 65536),
    "Flask hello": get("/flask"),
}


@dataclass(frozen=True)
class Setup:
    """A server, and what it is asked for."""

    name: str
    settings: Mapping[str, object]
    requests: Iterable[str] = ("hello", "browser")


_KEPT = {"sync_keepalive": True, "keepalive": 300}
SETUPS = (
    Setup("sync", _KEPT, REQUESTS),
    Setup("sync, access log", {**_KEPT, "accesslog": "access.log"}),
    Setup("gthread", {"worker_class": "gthread", "threads": 4, "keepalive": 300}),
)


def counted(
    setup: Setup, directory: Path, is_good: Callable[[str, Counted], bool] = lambda *_: True
) -> dict[str, Counted]:
    """What one request of each kind costs, by `SETUP: REQUEST`.

    There are more rounds, up to `MOST_ROUNDS`, until `is_good(name, what it costs)`.
    """
    output = directory / "counts"
    valgrind = callgrind.command(Path(f"{output}.%p"), "--instr-atstart=no")
    directory.mkdir(exist_ok=True)
    inner = under_test()
    server = Server(
        Command((*FIRST, *valgrind, *inner.argv), inner.name),
        "measured:app",
        directory,
        ("127.0.0.1", free_port()),
        settings={"timeout": PATIENCE, **setup.settings},
        # The order of sets and dicts of strings is the same in every run.
        env={"MARKS": str(callgrind.built(directory)), "PYTHONHASHSEED": "0"},
    )
    try:
        server.start().wait_ready()
        with Wire(server.address, timeout=PATIENCE) as wire:
            for name in setup.requests:
                ask(wire, REQUESTS[name], WARM)
            ask(wire, get("/begin"))
            return {
                f"{setup.name}: {name}": _counted(wire, setup.name, name, output, is_good)
                for name in setup.requests
            }
    finally:
        server.end()


def _counted(
    wire: Wire, setup: str, name: str, output: Path, is_good: Callable[[str, Counted], bool]
) -> Counted:
    found: dict[int, list[Counted]] = {FEW: [], MANY: []}
    for number in itertools.count(1):
        ask(wire, REQUESTS[name], WARM)
        ask(wire, get("/mark/-"))
        for times, rounds in found.items():
            mark = f"{number}-{times}-{slug(name)}"
            ask(wire, REQUESTS[name], times)
            ask(wire, get(f"/mark/{mark}"))
            rounds.append(callgrind.marked(output, mark))
        cost = cheapest(found[MANY]).less(cheapest(found[FEW]), MANY - FEW)
        if number == MOST_ROUNDS or number >= ROUNDS and is_good(f"{setup}: {name}", cost):
            return cost
    raise AssertionError("it counts for ever")


def cheapest(rounds: Iterable[Counted]) -> Counted:
    rounds = list(rounds)
    return Counted(min(part.all for part in rounds), min(part.ours for part in rounds))


def slug(name: str) -> str:
    return name.replace(" ", "-")


def ask(wire: Wire, request: bytes, times: int = 1) -> None:
    for _ in range(times):
        response = wire.send(request).response()
        assert response.status == 200, response.head
