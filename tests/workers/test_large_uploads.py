"""An app that refuses an upload without reading it: the client still gets the whole answer."""

from __future__ import annotations

import pytest

from harness.compare import same
from harness.server import Kitchen
from harness.wire import Wire, get

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
            assert wire.is_closed()


def test_refusal_of_the_server_itself_survives_too(kitchen: Kitchen) -> None:
    server = kitchen()
    head = get("/echo", "Content-Length: 9", "Transfer-Encoding: chunked", method="POST")
    with Wire(server.address) as wire:
        wire.send(head)
        for _ in range(2):
            wire.send(MEGABYTE)
        assert wire.response().status == 400
