"""A client that resets its connection while the application reads its upload: nobody's error."""

from __future__ import annotations

import socket
import struct
import time

from harness.mode import Mode
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, get

RESET = struct.pack("ii", 1, 0)


def test_it_is_said_at_debug_only(spawn: Spawn, mode: Mode) -> None:
    """As Gunicorn does by the error's number, which ours did not have."""
    settings: dict[str, object] = {"loglevel": "debug"}
    server = spawn("kitchen:app", mode, settings=settings, config="request_buffer_limit = 0")
    said = "Ignoring connection reset" if mode.transport == "tcp" else "Ignor"

    def resets() -> bool:
        """Whether one of them was noticed."""
        for _ in range(10):
            with Wire(server.address) as wire:
                wire.send(get("/echo", "Content-Length: 100000", method="POST") + b"x" * 1000)
                # The application reads by then, nearly always.
                time.sleep(0.02)
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return said in server.log()

    until(resets, said, show=server.log)
    assert "Error handling request" not in server.log()
