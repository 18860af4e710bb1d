"""An app that refuses an upload without reading it: the client still gets the whole answer."""

from __future__ import annotations

import contextlib

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Kitchen
from harness.wire import Wire, chunked, end_if_kept, get, post

pytestmark = pytest.mark.gunicorn_bug("drains 64 KiB, then closes: the client sees a reset")

MEGABYTE = b"u" * (1 << 20)
ANSWER = b"too much" * 64


@pytest.mark.parametrize("megabytes", [1, 8, 24])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_answer_survives(kitchen: Kitchen, megabytes: int, framing: str) -> None:
    server = kitchen()
    for _ in range(3):
        with Wire(server.address) as wire:
            if framing == "length":
                length = f"Content-Length: {megabytes << 20}"
                wire.send(get("/unread", length, method="POST"))
                for _ in range(megabytes):
                    wire.send(MEGABYTE)
            else:
                wire.send(get("/unread", "Transfer-Encoding: chunked", method="POST"))
                for _ in range(megabytes):
                    wire.send(b"100000\r\n" + MEGABYTE + b"\r\n")
                wire.send(b"0\r\n\r\n")
            response = wire.response()
            same(response.status_line, "HTTP/1.1 413 Content Too Large")
            assert response.body == ANSWER
            end_if_kept(wire, response)
            assert wire.is_closed()


@pytest.mark.parametrize("megabytes", [1, 24])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_no_byte_of_it_is_taken_for_a_request(
    kitchen: Kitchen, mode: Mode, megabytes: int, framing: str
) -> None:
    """On a connection that would be kept: above 16 MiB the application answers before all of the
    body has come."""
    server = kitchen(**mode.keep_alive)
    body = get("/hello").ljust(1 << 20, b"\n") * megabytes
    raw = post("/unread", body)
    if framing == "chunked":
        raw = get("/unread", "Transfer-Encoding: chunked", method="POST") + chunked(body)
    with Wire(server.address) as wire:
        # Once it is refused the rest may not find anybody.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(raw)
        response = wire.response()
        assert response.body == ANSWER
        if response.header("Connection") == "keep-alive":
            assert wire.send(get("/stream")).response().body == b"onetwothree"
        else:
            assert wire.is_closed()


def test_refusal_of_the_server_itself_survives_too(kitchen: Kitchen) -> None:
    server = kitchen()
    head = get("/echo", "Content-Length: 9", "Transfer-Encoding: chunked", method="POST")
    with Wire(server.address) as wire:
        wire.send(head)
        for _ in range(2):
            wire.send(MEGABYTE)
        assert wire.response().status == 400


@pytest.mark.ours("request_buffer_limit")
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_request_behind_it_is_not_lost(kitchen: Kitchen, mode: Mode, framing: str) -> None:
    """The application reads a body that is larger than what is buffered to its end; the next
    request may come in the same segment as that end."""
    server = kitchen(request_buffer_limit=1000, **mode.keep_alive)
    raw = post("/pieces", MEGABYTE)
    if framing == "chunked":
        raw = get("/pieces", "Transfer-Encoding: chunked", method="POST") + chunked(MEGABYTE)
    with Wire(server.address) as wire:
        for _ in range(3):
            wire.send(raw + get("/hello"))
            assert wire.response().body.startswith(b"1048576 ")
            assert wire.response().body == b"Hello, World!"
