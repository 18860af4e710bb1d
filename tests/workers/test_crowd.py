"""Thousands of clients that idle or stall: they cost memory by the kilobyte, and nobody's time.

Memory is what the worker has to itself, before and after; the kernel's socket buffers are not in
it.
"""

from __future__ import annotations

import contextlib
import sysconfig
from collections.abc import Callable, Iterator

import pytest

from harness import kinds
from harness.crowd import crowd, room_for
from harness.kinds import Kind
from harness.mode import Mode
from harness.proc import private_memory
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Wire, get, post

pytestmark = pytest.mark.ours("a stated cost of clients that wait")

IDLE = 5000
STALLED = 1000

# Most bytes of a worker's memory for each client. docs/design/dispatch.md says the same.
# Objects of Python (a connection's part of the environ) take twice the room without the GIL.
IDLE_COST = (3 if sysconfig.get_config_var("Py_GIL_DISABLED") else 2) << 10
USED_COST = 3 << 10
"""After its second request a connection keeps its part of the environ."""
HEAD_COST = 12 << 10
"""A buffer for a head, 8 KiB as long as the head fits."""
WAITING = 32 << 20
"""What all of them together may have of bodies and responses in memory; the rest is in files."""


def waiting_cost(count: int) -> int:
    """Their share of it, the buffer for a head, and what allocators need."""
    return WAITING // count + HEAD_COST + (16 << 10)


Serve = Callable[..., Server]


@pytest.fixture
def serve(spawn: Spawn) -> Iterator[Serve]:
    """`serve(kind, transport="tcp")`: one worker with room for the crowd."""

    def started(kind: Kind, transport: str = "tcp") -> Server:
        threads = {"threads": 4} if kind is kinds.GTHREAD else {}
        settings = {**kind.settings, **threads, "worker_connections": IDLE + 100}
        return spawn("kitchen:app", Mode(transport=transport), settings=settings)

    with room_for(IDLE):
        yield started


each_kind = pytest.mark.parametrize("kind", kinds.ALL, ids=str)


HELLO = b"Hello, World!"
UPLOAD = post("/pieces", b"u" * 100_000)


def warmed(server: Server) -> int:
    """The worker's memory once it has done everything a few times."""
    for _ in range(20):
        for raw in (get("/hello"), UPLOAD, get("/bytes?n=300000")):
            with Wire(server.address) as wire:
                assert wire.send(raw).response().status == 200
    return memory(server)


def memory(server: Server) -> int:
    (worker,) = server.workers()
    return private_memory(worker)


def assert_cost(before: int, after: int, count: int, most: int) -> None:
    each = (after - before) / count
    assert each <= most, f"{each:.0f} bytes for each of {count} clients, more than {most}"


def assert_served(server: Server) -> None:
    for _ in range(200):
        with Wire(server.address) as wire:
            assert wire.send(get("/hello")).response().body == HELLO


@each_kind
def test_idle_connections(serve: Serve, kind: Kind) -> None:
    """All have had a request, where connections are kept; otherwise none has said a word."""
    server = serve(kind)
    before = warmed(server)
    with crowd(server.address, IDLE) as wires:
        if kind.keeps_alive:
            for wire in wires:
                response = wire.send(get("/hello")).response()
                assert response.header("Connection") == "keep-alive"
        assert_served(server)
        assert_cost(before, memory(server), IDLE, IDLE_COST)
        if kind.keeps_alive:
            # The buffer of a longer response is not kept.
            for wire in wires:
                assert wire.send(get("/piece?n=16000")).response().status == 200
            assert_served(server)
            assert_cost(before, memory(server), IDLE, USED_COST)
        for wire in wires:
            wire.send(get("/hello"))
        assert [wire.response().body for wire in wires] == [HELLO] * IDLE


STALLS = {
    "head": (get("/hello", "X-Long: " + "x" * 1000)[:-100], HEAD_COST),
    "body": (UPLOAD[:-40_000], waiting_cost(STALLED)),
    "chunked body": (
        get("/pieces", "Transfer-Encoding: chunked", method="POST") + b"186a0\r\n" + b"u" * 60_000,
        waiting_cost(STALLED),
    ),
}


@each_kind
@pytest.mark.parametrize("what", STALLS)
def test_clients_that_stall_while_sending(serve: Serve, kind: Kind, what: str) -> None:
    server = serve(kind)
    raw, most = STALLS[what]
    before = warmed(server)
    with crowd(server.address, STALLED) as wires:
        for wire in wires:
            wire.send(raw)
        # What was sent before this has been read when this is answered, or soon will be.
        assert_served(server)
        assert_cost(before, memory(server), STALLED, most)


@each_kind
@pytest.mark.parametrize(
    "transport, count, page, most",
    [
        ("tcp", STALLED, "/bytes?n=300000", waiting_cost(STALLED)),
        # The kernel keeps less of it for a unix socket.
        ("unix", STALLED, "/bytes?n=300000", waiting_cost(STALLED)),
        # What has been sent of it is not free before the rest.
        ("unix", STALLED, "/piece?n=300000", waiting_cost(STALLED)),
        # Calls last, so the threads of gthread make one response after the other by themselves.
        ("unix", STALLED, "/piece?n=300000&pause=0.002", waiting_cost(STALLED)),
        ("tcp", STALLED // 5, "/bytes?n=2000000", waiting_cost(STALLED // 5)),
    ],
)
def test_clients_that_stall_while_reading(
    serve: Serve, kind: Kind, transport: str, count: int, page: str, most: int
) -> None:
    server = serve(kind, transport)
    before = warmed(server)
    with crowd(server.address, count, receive_buffer=4096) as wires:
        for wire in wires:
            wire.send(get(page))
        assert_served(server)
        assert_cost(before, memory(server), count, most)
        # All were served as far as it went.
        for wire in wires:
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@each_kind
def test_large_heads_that_stall(serve: Serve, kind: Kind) -> None:
    """Together they may hold `WAITING`; who comes after that with a large head is refused, and who
    comes with a small one is served."""
    server = serve(kind)
    head = get("/hello", *(f"X-{i}: {'x' * 8000}" for i in range(90)))[:-2]
    count = 2 * WAITING // len(head)
    with crowd(server.address, count) as wires:
        for wire in wires:
            # Whoever is refused before it has said all finds nobody.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.send(head)
        until(lambda: "Refused a large request head" in server.log(), "a refusal", show=server.log)
        assert_served(server)
        refused = 0
        for wire in wires:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.send(b"\r\n")
            with contextlib.suppress(ConnectionResetError):
                status = wire.response().status
                assert status in (200, 503)
                refused += status == 503
        assert 0 < refused < count
