"""One sync worker, many clients that stall: nobody else may notice.

Gunicorn's sync worker serves one connection from accept to close, so none of these is run on it.
No time is measured: the honest client's bounded read is the assertion, the stalled ones stay open
throughout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from harness.server import Address, Kitchen
from harness.wire import Wire, chunked, get, post

pytestmark = pytest.mark.ours("a slow client holds nobody up")

STALLERS = 24
BODY = b"0123456789" * 100


@contextlib.contextmanager
def stalled(address: Address, raw: bytes, receive_buffer: int = 0) -> Iterator[list[Wire]]:
    """`STALLERS` connections on which `raw` was sent and nothing is read."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(Wire(address, receive_buffer=receive_buffer)).send(raw)
            for _ in range(STALLERS)
        ]


def assert_served(address: Address) -> None:
    for _ in range(3):
        with Wire(address) as wire:
            wire.send(get("/hello"))
            assert wire.response().body == b"Hello, World!"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"G",
        b"GET /hello HTTP/1.1\r\n",
        b"GET /hello HTTP/1.1\r\nHost: a\r\n",
        post("/echo", BODY)[:-990],
        get("/echo", "Transfer-Encoding: chunked", method="POST") + b"3\r\nab",
        get("/echo", "Expect: 100-continue", "Content-Length: 9", method="POST"),
    ],
    ids=["silent", "one byte", "line", "head", "body", "chunk", "expect"],
)
def test_stalls_while_sending(kitchen: Kitchen, raw: bytes) -> None:
    address = kitchen().address
    with stalled(address, raw):
        assert_served(address)


@pytest.mark.parametrize("query", ["n=20000000", "n=20000000&chunked"])
def test_stalls_while_reading(kitchen: Kitchen, query: str) -> None:
    address = kitchen().address
    with stalled(address, get(f"/bytes?{query}"), receive_buffer=4096) as clients:
        assert_served(address)
        # And the one that reads at last gets all of it.
        assert len(clients[-1].response().body) == 20_000_000


def test_stalled_clients_are_served_when_they_go_on(kitchen: Kitchen) -> None:
    address = kitchen().address
    raw = post("/echo", BODY)
    with stalled(address, raw[:-500]) as clients:
        assert_served(address)
        for wire in reversed(clients):
            assert wire.send(raw[-500:]).response().body == BODY


def test_chunks_trickle_in_from_many_at_once(kitchen: Kitchen) -> None:
    address = kitchen().address
    raw = get("/echo", "Transfer-Encoding: chunked", method="POST") + chunked(b"ab", b"cdef")
    with stalled(address, b"") as clients:
        for i in range(len(raw)):
            for wire in clients:
                wire.send(raw[i : i + 1])
        assert [wire.response().body for wire in clients] == [b"abcdef"] * STALLERS


def test_client_that_never_closes_after_its_answer(kitchen: Kitchen) -> None:
    address = kitchen().address
    with stalled(address, get("/hello")) as clients:
        # Both sides could close now; these keep theirs open.
        assert [wire.response().body for wire in clients] == [b"Hello, World!"] * STALLERS
        assert_served(address)
