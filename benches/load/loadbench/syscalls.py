"""System calls per request, counted by strace over an exact number of requests.

A run of its own: a traced process is several times slower, so nothing here is timed.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from loadbench import procfs
from loadbench.client import ClosedLoop
from loadbench.errors import BenchError
from loadbench.paths import BENCH
from loadbench.scenarios import Scenario
from loadbench.server import Server

_ATTACH_LIMIT_S = 10.0


@dataclass(frozen=True)
class SyscallCount:
    """Calls of the worker's threads, by name, over `requests` requests."""

    requests: int
    calls: dict[str, int]

    @property
    def per_request(self) -> float:
        return sum(self.calls.values()) / self.requests


def count_syscalls(server: Server, scenario: Scenario, width: int, requests: int) -> SyscallCount:
    """Attaches strace to the worker for exactly `requests` requests from `width` clients."""
    pids = server.serving_pids
    with (
        ClosedLoop(server.port, scenario, width) as client,
        tempfile.TemporaryDirectory(prefix="strace-", dir=BENCH / "runs") as directory,
    ):
        summary = Path(directory) / "summary"
        command = ["strace", "-c", "-f", "-U", "calls,name", "-o", str(summary)]
        for pid in pids:
            command += ["-p", str(pid)]
        strace = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _await_attached(strace, pids)
            client.send(requests)
        finally:
            strace.send_signal(signal.SIGINT)
            try:
                strace.wait(_ATTACH_LIMIT_S)
            except subprocess.TimeoutExpired:
                strace.kill()
                strace.wait()
        return SyscallCount(requests, parse_summary(summary.read_text()))


def parse_summary(text: str) -> dict[str, int]:
    """Rows `calls name` of strace's table; raises BenchError when there is none."""
    rows = (line.split() for line in text.splitlines())
    calls = {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit()}
    calls.pop("total", None)
    if not calls:
        raise BenchError(f"strace counted nothing: {text!r}")
    return calls


def _await_attached(strace: subprocess.Popen[bytes], pids: list[int]) -> None:
    end = time.monotonic() + _ATTACH_LIMIT_S
    while not all(procfs.is_traced(pid) for pid in pids):
        if strace.poll() is not None or time.monotonic() > end:
            said = strace.communicate()[1] if strace.poll() is not None else b"still waiting"
            raise BenchError(f"strace did not attach: {said.decode()}")
        time.sleep(0.01)
