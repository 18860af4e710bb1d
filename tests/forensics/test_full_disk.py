"""A worker that ends while the access log takes no lines: nobody else suffers, and what is missing
is said."""

from __future__ import annotations

import os
import signal

import pytest

from harness.kinds import Kind
from harness.server import Spawn
from harness.wire import Wire, ask, get

pytestmark = pytest.mark.ours("keeps access lines of a worker that has ended")

COUNT = 20
"""Lines of 3 KB: more than a worker keeps while the disk is full."""


@pytest.mark.parametrize("end", ["kill", "leave"])
def test_the_master_lives_and_says_what_is_missing(spawn: Spawn, kind: Kind, end: str) -> None:
    settings = {"accesslog": "/dev/full", **kind.settings, "sync_keepalive": True}
    server = spawn("lethal:application", settings=settings)
    (worker,) = server.workers()
    with Wire(server.address) as wire:
        # One after the other on a connection, so that all have their lines.
        wire.send(b"".join(get(f"/fine?{'x' * 3000}") for _ in range(COUNT)))
        wire.send(get("/kill") if end == "kill" else get("/fine", "Connection: close"))
        assert wire.read_to_close().count(b"\r\n\r\nhere") == COUNT + (end == "leave")
    if end == "leave":
        os.kill(worker, signal.SIGTERM)
    server.wait_log("Booting worker", 2)
    missing = COUNT + (end == "leave")
    server.wait_log(f"Worker (pid:{worker}) took {missing} access lines with it")
    assert ask(server.address, get("/fine")).body == b"here"
    log = server.assert_clean_exit()
    assert "Unhandled exception" not in log
