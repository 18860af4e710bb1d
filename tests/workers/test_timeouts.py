"""`client_header_timeout`, `client_body_timeout`, `client_write_timeout`: each ends its own kind of
stall and no other.

One of them is short, the others are a minute or none at all, so what is still there once the short
one has struck was not held to it. No time is measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from harness.mode import Mode
from harness.server import Address, Server, Spawn
from harness.wire import Response, Wire, get, post

pytestmark = pytest.mark.ours("times a client out by what it is expected to do")

Start = Callable[..., Server]

HEAD = get("/")
BODY = post("/upload", b"0123456789")
LONG = get("/pieces?n=320&size=65536")
LONG_BYTES = 320 * 65536


@pytest.fixture
def start(spawn: Spawn, mode: Mode) -> Start:
    def started(**settings: object) -> Server:
        return spawn("paced:app", mode, settings=settings)

    return started


@contextlib.contextmanager
def stalls(address: Address) -> Iterator[dict[str, Wire]]:
    """Three connections, each stalled where one of the settings counts."""
    with contextlib.ExitStack() as stack:
        wires = {
            kind: stack.enter_context(Wire(address)).send(raw)
            for kind, raw in {"header": HEAD[:-9], "body": BODY[:-5], "write": LONG}.items()
        }
        yield wires


def go_on(kind: str, wire: Wire) -> None:
    """Ends the stall; the answer must be the same as without one."""
    if kind == "write":
        assert len(wire.response().body) == LONG_BYTES
        return
    wire.send(HEAD[-9:] if kind == "header" else BODY[-5:])
    assert wire.response().body == (b"hello" if kind == "header" else b"10")


@pytest.mark.parametrize("others", [60, 0])
@pytest.mark.parametrize("short", ["header", "body", "write"])
def test_only_its_own_stall_is_ended(start: Start, short: str, others: object) -> None:
    settings = {f"client_{kind}_timeout": others for kind in ("header", "body", "write")}
    server = start(**{**settings, f"client_{short}_timeout": "200ms"})
    with stalls(server.address) as wires:
        cut = wires.pop(short)
        if short == "write":
            server.wait_log("receiving the response")
            with contextlib.suppress(ConnectionResetError):
                assert len(cut.read_to_close()) < LONG_BYTES
        else:
            assert_timed_out(cut.response(), short)
            assert cut.is_closed()
            server.wait_log(f"sending the request {short.replace('header', 'head')}")
        for kind, wire in wires.items():
            go_on(kind, wire)
    assert server.log().count("Client timed out: ") == 1
    server.assert_clean_exit()


def assert_timed_out(response: Response, kind: str) -> None:
    assert response.status_line == "HTTP/1.1 408 Request Timeout"
    assert response.header("Connection") == "close"
    assert f"Timed out sending the request {kind.replace('header', 'head')}".encode() in (
        response.body
    )


def test_a_connection_that_has_said_nothing_is_closed_without_a_word(start: Start) -> None:
    server = start(client_header_timeout="200ms")
    with Wire(server.address) as wire:
        assert wire.read_to_close() == b""
    assert "Client timed out" not in server.log()


def test_the_head_of_a_further_request_has_the_same_time(start: Start, mode: Mode) -> None:
    server = start(**{"client_header_timeout": "200ms", "keepalive": 60, **mode.keep_alive})
    with Wire(server.address) as idle, Wire(server.address) as wire:
        assert idle.send(HEAD).response().body == b"hello"
        assert wire.send(HEAD).response().body == b"hello"
        wire.send(HEAD[:-9])
        assert_timed_out(wire.response(), "header")
        # Between two requests it is `keepalive` that counts.
        assert idle.send(HEAD).response().body == b"hello"


def test_each_byte_starts_the_time_anew(start: Start) -> None:
    """An upload whose bytes come one by one outlives one that has stalled since before it."""
    server = start(client_body_timeout="1s")
    with Wire(server.address) as stalled, Wire(server.address) as slow:
        stalled.send(BODY[:-9])
        slow.send(BODY[:-9])
        stalled.sock.settimeout(0.2)
        sent = 9
        while True:
            try:
                assert_timed_out(stalled.response(), "body")
                break
            except TimeoutError:
                assert sent > 1, "the stalled one was not ended"
                slow.send(BODY[-sent:][:1])
                sent -= 1
        assert slow.send(BODY[-sent:]).response().body == b"10"


def test_a_body_that_stalls_once_the_application_reads_it(start: Start) -> None:
    server = start(client_body_timeout="200ms", request_buffer_limit=0)
    with Wire(server.address) as wire:
        wire.send(BODY[:-5])
        assert wire.response().body == b"5 and NoMoreData"


def test_an_application_that_waits_for_its_reader_is_told(start: Start) -> None:
    server = start(
        client_write_timeout="500ms", response_buffer_size="64K", response_buffer_limit="64K"
    )
    with Wire(server.address, receive_buffer=4096) as wire:
        wire.send(LONG)
        server.wait_log("cut in piece")
        with Wire(server.address) as other:
            assert other.send(HEAD).response().body == b"hello"
        with contextlib.suppress(ConnectionResetError):
            assert len(wire.read_to_close()) < LONG_BYTES
