"""System calls per request, in a run of its own: counting costs time.

perf counts in the kernel, so that the server behaves as it does untraced. Where perf may not look,
strace does: that slows a server down so much that one which adapts to how long its calls last does
something else than usual; the number of requests is exact then.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, TextIO

from loadbench import procfs
from loadbench.client import ClosedLoop
from loadbench.errors import BenchError
from loadbench.paths import BENCH
from loadbench.plan import Plan
from loadbench.scenarios import Scenario
from loadbench.server import Server
from loadbench.wrk import run_wrk

_ATTACH_LIMIT_S = 10.0
_COUNTED_S = 0.5
_TOTAL = "raw_syscalls:sys_enter"
_NAMES = (
    "futex sched_yield epoll_wait epoll_pwait epoll_ctl poll select io_uring_enter "
    "read readv pread64 recvfrom recvmsg write writev sendto sendmsg sendfile64 "
    "accept accept4 getpeername setsockopt shutdown close fcntl ioctl openat newfstat newfstatat "
    "statx lseek mmap munmap brk madvise memfd_create clock_nanosleep clock_gettime getppid"
)
_EVENTS = (_TOTAL, *(f"syscalls:sys_enter_{name}" for name in _NAMES.split()))


@dataclass(frozen=True)
class SyscallCount:
    """Calls of the worker's threads, by name, over `requests` requests."""

    requests: int
    total: int
    calls: dict[str, int]
    by: str
    """Who counted: perf or strace."""

    @property
    def per_request(self) -> float:
        return self.total / self.requests


def count_syscalls(server: Server, scenario: Scenario, plan: Plan) -> SyscallCount:
    """Counts the calls of the serving processes while the clients of `scenario` are served."""
    width = scenario.connections or plan.connections
    if perf_counts():
        return _by_perf(server, scenario, plan, width)
    requests = min(plan.traced_requests, scenario.traced or plan.traced_requests)
    return _by_strace(server, scenario, width, requests)


@cache
def perf_counts() -> bool:
    """Whether there is a perf here that may count system calls."""
    perf = shutil.which("perf")
    if perf is None:
        return False
    command = [perf, "stat", "-x,", "-e", ",".join(_EVENTS), "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "<not" not in done.stderr


def _by_perf(server: Server, scenario: Scenario, plan: Plan, width: int) -> SyscallCount:
    order, told = os.pipe()
    heard, ack = os.pipe()
    # -D -1: it attaches, and counts between the two orders.
    command = ["perf", "stat", "-x,", "-D", "-1", "--control", f"fd:{order},{ack}"]
    command += ["-e", ",".join(_EVENTS), "-p", ",".join(map(str, server.serving_pids))]
    perf = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(order, ack),
    )
    os.close(order)
    os.close(ack)
    try:
        with os.fdopen(told, "w") as orders, os.fdopen(heard, "rb", buffering=0) as answers:
            _order("enable", orders, answers)
            result = run_wrk(server.port, scenario, plan.client_core, width, _COUNTED_S)
            _order("disable", orders, answers)
            perf.send_signal(signal.SIGINT)
            said = perf.communicate(timeout=_ATTACH_LIMIT_S)[1]
    finally:
        if perf.poll() is None:
            perf.kill()
            perf.wait()
    return _perf_count(result.requests, said)


def _order(word: str, orders: TextIO, answers: BinaryIO) -> None:
    """Tells perf `word` and waits for its acknowledgement."""
    print(word, file=orders, flush=True)
    if not answers.read(16).startswith(b"ack"):
        raise BenchError(f"perf does not {word}")


def _perf_count(requests: int, said: str) -> SyscallCount:
    """Reads `count,unit,event,...` lines; raises BenchError when there is nothing in them."""
    rows = [line.split(",") for line in said.splitlines()]
    counts = {row[2]: int(row[0]) for row in rows if len(row) > 2 and row[0].isdigit()}
    total = counts.pop(_TOTAL, 0)
    if not total:
        raise BenchError(f"perf counted nothing: {said!r}")
    calls = {event.rpartition("sys_enter_")[2]: n for event, n in counts.items() if n}
    return SyscallCount(requests, total, calls, "perf")


def _by_strace(server: Server, scenario: Scenario, width: int, requests: int) -> SyscallCount:
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
        calls = parse_summary(summary.read_text())
        return SyscallCount(requests, sum(calls.values()), calls, "strace")


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
