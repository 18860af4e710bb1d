"""System calls of a kept-alive request, counted by strace: one read, one write, and a share of the
wait for many clients."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, get

CLIENTS = 32
ROUNDS = 25
AT_MOST = 2.3
ATTEMPTS = 5


def traced(process: subprocess.Popen[bytes], pid: int) -> bool:
    if process.poll() is not None:
        stderr = process.stderr.read().decode() if process.stderr else ""
        pytest.skip(f"strace can not trace here: {stderr.strip()}")
    status = Path(f"/proc/{pid}/status").read_text()
    return re.search(r"^TracerPid:\s+[1-9]", status, re.MULTILINE) is not None


@pytest.mark.ours("sync_keepalive")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_two_calls_and_a_share(spawn: Spawn, tmp_path: Path) -> None:
    """In one of a few attempts: a worker that loses the CPU between two calls has more to do, for
    it looks as if the application had taken its time."""
    server = spawn("kitchen:app", settings={"sync_keepalive": True})
    (worker,) = server.workers()
    counts = tmp_path / "counts"
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.address)) for _ in range(CLIENTS)]

        def serve_all() -> None:
            # All requests are there before the worker looks.
            os.kill(worker, signal.SIGSTOP)
            for wire in wires:
                wire.send(get("/hello"))
            os.kill(worker, signal.SIGCONT)
            for wire in wires:
                assert wire.response().body == b"Hello, World!"

        serve_all()
        seen = []
        while len(seen) < ATTEMPTS and not any(calls <= AT_MOST for calls in seen):
            strace = subprocess.Popen(
                ["strace", "-c", "-o", str(counts), "-p", str(worker)], stderr=subprocess.PIPE
            )
            try:
                until(lambda strace=strace: traced(strace, worker), "strace to attach")
                for _ in range(ROUNDS):
                    serve_all()
            finally:
                strace.send_signal(signal.SIGINT)
                strace.communicate(timeout=30)
            seen.append(calls_per_request(counts.read_text()))
    assert min(seen) <= AT_MOST, f"{seen}\n{counts.read_text()}"


def calls_per_request(table: str) -> float:
    # % time, seconds, microseconds per call, calls, errors (or nothing), name.
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (?!.* total$)", table, re.MULTILINE)
    calls = sum(map(int, rows))
    assert calls >= 2 * CLIENTS * ROUNDS
    return calls / (CLIENTS * ROUNDS)
