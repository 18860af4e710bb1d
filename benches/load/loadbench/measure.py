"""The four measurements. Each starts its servers afresh and gives back plain records."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadbench import procfs
from loadbench.client import ClosedLoop, verify
from loadbench.errors import BenchError
from loadbench.peers import Peer
from loadbench.scenarios import SCENARIOS, Scenario
from loadbench.server import Server
from loadbench.syscalls import SyscallCount, count_syscalls
from loadbench.wrk import run_wrk

_MEMORY_WORKERS = 4
_MEMORY_REQUESTS = 2000
_SETTLE_LIMIT_S = 10.0
_SETTLED_SHARE = 0.002

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run measures with, the same for every server."""

    rounds: int
    seconds: int
    connections: int
    server_core: int
    client_core: int
    starts: int
    traced_requests: int


@dataclass(frozen=True)
class Sample:
    """One timed run of one server in one scenario."""

    server: str
    scenario: str
    round: int
    requests: int
    seconds: float
    user_s: float
    system_s: float
    foreign_s: float
    """CPU seconds that other programs used on the server's core meanwhile: the noise."""
    kept_alive: bool
    p50_ms: float
    p99_ms: float
    socket_errors: int

    @property
    def cpu_us(self) -> float:
        """CPU time per request in microseconds."""
        return (self.user_s + self.system_s) / self.requests * 1e6


@dataclass(frozen=True)
class Memory:
    """Sum of PSS over master and workers, after they have served."""

    server: str
    bytes: int
    processes: int


class Bench:
    """Takes the measurements; what fails is written down in `failures` and the rest goes on."""

    def __init__(
        self, peers: list[Peer], scenarios: list[Scenario], plan: Plan, progress: Progress
    ):
        self._peers = peers
        self._scenarios = scenarios
        self._plan = plan
        self._progress = progress
        self.failures: list[str] = []

    def timed_rounds(self) -> list[Sample]:
        """Every server in every scenario once per round, every second round in opposite order.

        A machine that gets slower or faster meanwhile does so for all of them, and nobody always
        runs after the same neighbour.
        """
        samples = []
        rounds = self._plan.rounds
        for number in range(rounds):
            for scenario, peer in self._pairs(backwards=number % 2 == 1):
                with self._attempt(f"round {number + 1} {scenario.name} {peer.name}"):
                    sample = _timed(peer, scenario, self._plan, number)
                    samples.append(sample)
                    errors = f"  socket errors: {sample.socket_errors}"
                    self._progress(
                        f"round {number + 1}/{rounds} {scenario.name:13} {peer.name:17} "
                        f"{sample.requests / sample.seconds:8.0f} req/s "
                        f"{sample.cpu_us:7.2f} µs CPU/req{errors if sample.socket_errors else ''}"
                    )
        return samples

    def syscall_counts(self) -> dict[tuple[str, str], SyscallCount]:
        """System calls per request by (server, scenario)."""
        counts = {}
        plan = self._plan
        for scenario, peer in self._pairs():
            with (
                self._attempt(f"strace {scenario.name} {peer.name}"),
                Server(peer, plan.server_core, scenario=scenario) as server,
            ):
                verify(server.port, scenario)
                count = count_syscalls(server, scenario, plan.connections, plan.traced_requests)
                counts[peer.name, scenario.name] = count
                self._progress(
                    f"strace {scenario.name:13} {peer.name:17} {count.per_request:6.2f} calls/req"
                )
        return counts

    def boot_times(self) -> dict[str, list[float]]:
        """Seconds from start to first response, `starts` of them per server, taken in turns."""
        own = [peer for peer in self._peers if peer.variant_of is None]
        times: dict[str, list[float]] = {}
        for peer in own:
            # Not counted: the first start writes the .pyc files and fills the page cache.
            with self._attempt(f"boot {peer.name}"), Server(peer, self._plan.server_core):
                times[peer.name] = []
        own = [peer for peer in own if peer.name in times]
        for number in range(self._plan.starts):
            for peer in own if number % 2 == 0 else own[::-1]:
                with (
                    self._attempt(f"boot {peer.name}"),
                    Server(peer, self._plan.server_core) as server,
                ):
                    times[peer.name].append(server.boot_seconds)
            self._progress(f"boot {number + 1}/{self._plan.starts}")
        return times

    def memory_use(self) -> list[Memory]:
        """PSS of master and 4 workers after requests, once it stands still."""
        use = []
        for peer in self._peers:
            if not peer.has_workers or peer.variant_of is not None:
                continue
            with self._attempt(f"memory {peer.name}"):
                memory = _memory(peer, self._plan)
                use.append(memory)
                mebibytes = memory.bytes / 2**20
                self._progress(
                    f"memory {peer.name:17} {mebibytes:6.1f} MiB in {memory.processes} processes"
                )
        return use

    def _pairs(self, *, backwards: bool = False) -> Iterator[tuple[Scenario, Peer]]:
        for scenario in self._scenarios:
            for peer in self._peers[::-1] if backwards else self._peers:
                if peer.has_access_log or not scenario.access_log:
                    yield scenario, peer

    @contextmanager
    def _attempt(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BenchError, OSError, subprocess.TimeoutExpired) as error:
            self.failures.append(f"{what}: {error}")
            self._progress(f"FAILED  {what}: {error}")


def _memory(peer: Peer, plan: Plan) -> Memory:
    with Server(peer, plan.server_core, workers=_MEMORY_WORKERS) as server:
        _await_workers(server)
        with ClosedLoop(server.port, SCENARIOS[0], plan.connections) as client:
            client.send(_MEMORY_REQUESTS)
        return Memory(peer.name, _settled_pss(server), len(server.pids))


def _timed(peer: Peer, scenario: Scenario, plan: Plan, number: int) -> Sample:
    with Server(peer, plan.server_core, scenario=scenario) as server:
        kept_alive = verify(server.port, scenario)
        run_wrk(server.port, scenario, plan.client_core, plan.connections, 1)
        lines = _count_lines(server.access_log)
        pids = server.pids
        core_before, before = procfs.core_busy(plan.server_core), procfs.cpu_time(pids)
        result = run_wrk(server.port, scenario, plan.client_core, plan.connections, plan.seconds)
        used = procfs.cpu_time(pids) - before
        core_used = procfs.core_busy(plan.server_core) - core_before
        if server.pids != pids:
            raise BenchError(f"{peer.name}: processes changed during the run")
        _check_logged(server.access_log, lines + result.requests)
    return Sample(
        server=peer.name,
        scenario=scenario.name,
        round=number,
        requests=result.requests,
        seconds=result.seconds,
        user_s=used.user,
        system_s=used.system,
        foreign_s=max(0.0, core_used - used.total),
        kept_alive=kept_alive,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        socket_errors=result.socket_errors,
    )


def _count_lines(path: Path | None) -> int:
    return path.read_bytes().count(b"\n") if path is not None and path.exists() else 0


def _check_logged(path: Path | None, least: int) -> None:
    """Raises BenchError when a server that was to log has not: it would win by not working."""
    if path is None:
        return
    end = time.monotonic() + _SETTLE_LIMIT_S
    while _count_lines(path) < least:
        if time.monotonic() > end:
            raise BenchError(f"access log has {_count_lines(path)} lines, expected {least}")
        time.sleep(0.1)


def _await_workers(server: Server) -> None:
    end = time.monotonic() + _SETTLE_LIMIT_S
    while len(server.serving_pids) < _MEMORY_WORKERS:
        if time.monotonic() > end:
            raise BenchError(f"only {len(server.serving_pids)} of {_MEMORY_WORKERS} workers")
        time.sleep(0.05)


def _settled_pss(server: Server) -> int:
    end = time.monotonic() + _SETTLE_LIMIT_S
    earlier, now = 0, procfs.pss_bytes(server.pids)
    while abs(now - earlier) > now * _SETTLED_SHARE:
        if time.monotonic() > end:
            raise BenchError(f"memory does not stand still: {earlier} then {now} bytes")
        time.sleep(0.5)
        earlier, now = now, procfs.pss_bytes(server.pids)
    return now
