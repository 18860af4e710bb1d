"""A worker that runs out of descriptors says so, and serves again when there are some."""

from __future__ import annotations

import pytest

from harness.mode import Mode
from harness.server import Spawn
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("pauses, and goes on")

CONFIG = """
import os, resource

def post_worker_init(worker):
    # How many, not the highest: the black box has one near 1024 (workers/blackbox.py).
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 30, used + 30))
"""
WORDS = "Cannot accept connections: "


def test_it_accepts_again(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, config=CONFIG)
    for _ in range(3):
        said = server.log().count(WORDS)
        held = [Wire(server.address).send(b"GET / HT") for _ in range(60)]
        server.wait_log(WORDS, said + 1)
        for wire in held:
            wire.close()
        for _ in range(5):
            with Wire(server.address) as wire:
                assert wire.send(get("/hello")).response().body == b"Hello, World!"
    server.assert_clean_exit()
