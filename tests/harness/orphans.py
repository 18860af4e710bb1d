"""Workers whose master was killed: they end what they run, and leave, and the port is free."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Literal

from .gate import enter, gate
from .server import Server
from .wait import until
from .wire import Wire, get


def leave(server: Server, connection: Literal["kept", "closed"]) -> None:
    """Kills the master while a request runs and another client is between two of its own, and sees
    to it that nobody and nothing is left but the answer.

    Args:
        server: two workers of `threaded:app` that have booted.
        connection: whether that of the other client stays open.
    """
    workers = server.workers()
    assert len(workers) == 2
    idle = Wire(server.address)
    idle.send(get("/who", *(["Connection: close"] if connection == "closed" else [])))
    assert idle.response().status == 200
    with idle, enter(server) as busy:
        os.kill(server.pid, signal.SIGKILL)
        server.wait_exit()
        # The one without a request need not wait for the other.
        until(lambda: sum(map(lives, workers)) == 1, "the idle worker to leave", show=server.log)
        gate(server).touch()
        response = busy.response()
        assert response.status == 200
        if connection == "closed":
            busy.close()
        until(lambda: not any(map(lives, workers)), "the busy worker to leave", show=server.log)
        if connection == "kept":
            assert idle.read_to_close() == b"", "closed without a word"
    assert server.log().count("Parent changed, shutting down: <Worker") == 2
    assert "Traceback" not in server.log()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(server.address)
        probe.listen()


def lives(pid: int) -> bool:
    """Whether the process has not ended; nobody may have waited for it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
