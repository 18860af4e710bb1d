"""Signals that end a worker in the middle of TLS: Python's `ssl` runs their handlers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from harness.mode import Mode
from harness.server import Spawn
from harness.wait import until
from harness.wire import Closed, Wire, get


@pytest.mark.only("its main thread does the I/O", "sync")
def test_a_worker_under_load_leaves(spawn: Spawn, mode: Mode) -> None:
    """With the exit that the handler asked for, and without an error of anybody's."""
    server = spawn("kitchen:app", mode)
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            # The worker is ended again and again.
            with (
                contextlib.suppress(OSError, Closed),
                Wire(server.address, timeout=5) as wire,
            ):
                # Without the validator, whose objects complain when a signal leaves them half-made.
                wire.send(get("/odd-method")).response()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            (pid,) = until(server.workers, "a worker", show=server.log)
            until(lambda pid=pid: served(pid), "it to serve", show=server.log)
            os.kill(pid, signal.SIGABRT if number % 2 else signal.SIGQUIT)
            until(lambda pid=pid: pid not in server.workers(), "it to leave", show=server.log)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert "Socket error" not in server.log()
    server.assert_clean_exit()


def served(pid: int) -> bool:
    """Whether it has used the CPU for more than to start."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12]) >= 15
    return True
