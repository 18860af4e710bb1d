"""A request that becomes complete while its worker is busy is served by an idle sibling.

Two workers. The connection is made while only one of them is free, so it lives there; then that
one is filled up, and the rest of the request arrives. Gunicorn's workers never give a connection
away.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Address
from harness.shift import Shift, Start, worker
from harness.wire import Wire, chunked, get, post

pytestmark = pytest.mark.gunicorn_bug("a connection stays with its worker")

BODY = b"0123456789" * 100
LARGE = bytes(range(256)) * 800
# More than is taken in before the application starts.
HUGE = bytes(range(256)) * (17 << 12)


def digest(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


@dataclass(frozen=True)
class Slow:
    """A request in two parts, and the body of its answer."""

    name: str
    first: bytes
    rest: bytes
    answer: bytes

    def __str__(self) -> str:
        return self.name


def slow(name: str, raw: bytes, cut: int, answer: bytes) -> Slow:
    return Slow(name, raw[:cut], raw[cut:], answer)


POST_CHUNKED = get("/echo", "Transfer-Encoding: chunked", method="POST")
SLOW = [
    slow("silent", get("/hello"), 0, b"Hello, World!"),
    slow("line", get("/hello"), 10, b"Hello, World!"),
    slow("head", get("/hello", "X-Long: " + "x" * 3000), 2000, b"Hello, World!"),
    slow("last byte of the head", get("/hello"), -1, b"Hello, World!"),
    slow("body", post("/echo", BODY), -500, BODY),
    slow("body after its head", post("/echo", BODY), -1000, BODY),
    slow("chunked", POST_CHUNKED + chunked(BODY, b"tail"), -8, BODY + b"tail"),
    slow("chunk line", POST_CHUNKED + chunked(BODY), len(POST_CHUNKED) + 2, BODY),
    slow("more than 64 KiB", post("/pieces", LARGE), -50_000, digest(LARGE)),
    slow("more than 64 KiB to come", post("/pieces", LARGE), -len(LARGE), digest(LARGE)),
    slow("more than is buffered", post("/pieces", HUGE), -len(HUGE) + 70_000, digest(HUGE)),
]


@contextlib.contextmanager
def in_a_busy_worker(
    shift: Shift, first: bytes, address: Address | None = None, source: str = ""
) -> Iterator[tuple[Wire, int]]:
    """A connection on which `first` was sent, whose worker has no thread free; the other's pid."""
    busy, idle = shift.workers
    with contextlib.ExitStack() as stack:
        with shift.only(busy):
            wire = stack.enter_context(Wire(address or shift.address, source=source))
            wire.send(first)
            shift.settle(address)
        stack.enter_context(shift.occupied(busy))
        yield wire, idle


def threads(kind: Kind) -> dict[str, object]:
    return {"threads": 2} if kind is kinds.GTHREAD else {}


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
@pytest.mark.parametrize("request_", SLOW, ids=str)
def test_a_slow_request_ends_at_a_sibling(shared: Start, kind: Kind, request_: Slow) -> None:
    shift = shared(kind, **threads(kind))
    with in_a_busy_worker(shift, request_.first) as (wire, idle):
        response = wire.send(request_.rest).response()
        assert worker(response) == idle
        assert response.body == request_.answer
        # Nothing but this answer, and the end as its head says.
        assert response.header("Connection") == ("keep-alive" if kind.keeps_alive else "close")
        assert wire.half_close().read_to_close() == b""


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_byte_by_byte(shared: Start, kind: Kind) -> None:
    shift = shared(kind, **threads(kind))
    with in_a_busy_worker(shift, b"") as (wire, idle):
        response = wire.send_byte_by_byte(post("/echo", b"slow")).response()
        assert (worker(response), response.body) == (idle, b"slow")


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_expect_100_continue(shared: Start, kind: Kind) -> None:
    """The busy worker sends the one 100, the idle one the answer."""
    shift = shared(kind, **threads(kind))
    head = get("/echo", "Expect: 100-continue", f"Content-Length: {len(BODY)}", method="POST")
    with in_a_busy_worker(shift, head[:30]) as (wire, idle):
        hint = wire.send(head[30:]).read_until(b"\r\n\r\n")
        assert hint.startswith(b"HTTP/1.1 100 ")
        response = wire.send(BODY).response()
        assert (worker(response), response.body, response.hints) == (idle, BODY, [])


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_pipelined_requests_go_with_it(shared: Start, kind: Kind) -> None:
    shift = shared(kind, **threads(kind))
    requests = [post("/echo", BODY), get("/stream"), POST_CHUNKED + chunked(b"a", b"bc")]
    raw = b"".join([*requests, get("/hello", "Connection: close")])
    with in_a_busy_worker(shift, raw[:500]) as (wire, idle):
        responses = [wire.send(raw[500:]).response(), *(wire.response() for _ in range(3))]
        assert [response.body for response in responses] == [
            BODY,
            b"onetwothree",
            b"abc",
            b"Hello, World!",
        ]
        assert {worker(response) for response in responses} == {idle}
        assert wire.is_closed()


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_a_pipelined_request_is_completed_later(shared: Start, kind: Kind) -> None:
    """What came of the second request goes with the first."""
    shift = shared(kind, **threads(kind))
    second = post("/pieces", LARGE)
    with in_a_busy_worker(shift, get("/hello")[:9]) as (wire, idle):
        wire.send(get("/hello")[9:] + second[:300])
        assert worker(wire.response()) == idle
        response = wire.send(second[300:]).response()
        assert (worker(response), response.body) == (idle, digest(LARGE))


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_a_kept_alive_connection_moves_as_often_as_it_must(shared: Start, kind: Kind) -> None:
    shift = shared(kind, **threads(kind))
    home, (wire,) = shift.park(1)
    with wire:
        for _ in range(10):
            with shift.occupied(home):
                response = wire.send(post("/echo", BODY)).response()
                assert response.body == BODY
                assert worker(response) != home
                home = worker(response)


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_many_at_once(shared: Start, kind: Kind) -> None:
    """Forty connections of a busy worker send at the same time; the other one serves them all."""
    shift = shared(kind, **threads(kind))
    home, wires = shift.park(40)
    with contextlib.ExitStack() as stack:
        for wire in wires:
            stack.enter_context(wire)
        with shift.occupied(home):
            for i, wire in enumerate(wires):
                wire.send(post("/echo", b"%d" % i))
            responses = [wire.response() for wire in wires]
        assert [response.body for response in responses] == [b"%d" % i for i in range(40)]
        assert home not in {worker(response) for response in responses}
