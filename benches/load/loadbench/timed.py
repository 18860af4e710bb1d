"""One server under wrk's load: CPU time per request, requests per second, latency."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from loadbench import procfs
from loadbench.answers import Answer, verify
from loadbench.errors import BenchError
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import Scenario
from loadbench.server import Server
from loadbench.wrk import WrkResult, run_wrk

_WARM_UP_S = 0.4
_LOG_LIMIT_S = 10.0


@dataclass(frozen=True)
class Load:
    """What wrk and the kernel counted over some seconds."""

    requests: int
    seconds: float
    user_s: float
    system_s: float
    foreign_s: float
    """CPU seconds that other programs used on the server's core meanwhile: the noise."""
    p50_ms: float
    p99_ms: float
    socket_errors: int

    @property
    def cpu_us(self) -> float:
        """CPU time per request in microseconds."""
        return (self.user_s + self.system_s) / self.requests * 1e6


@dataclass(frozen=True)
class Sample(Load):
    """One timed run of one server in one scenario."""

    server: str
    scenario: str
    round: int
    kept_alive: bool
    pss_bytes: int
    """Memory of master and workers right after the load."""
    file_wrapper: bool
    """False only when the app said that it had none to use."""


def timed(peer: Peer, scenario: Scenario, plan: Plan, number: int) -> Sample:
    """A fresh start, a check of the answer, a moment of warming up, and the timed seconds."""
    cores, client_cores = plan.server_cores(scenario), plan.client_cores(scenario)
    with Server(peer, cores, scenario, workers=scenario.workers, threads=plan.threads) as server:
        server.await_workers(scenario.workers)
        answer, kept_alive = verify(server.port, scenario)
        run_wrk(server.port, scenario, client_cores, _width(scenario, plan), _WARM_UP_S)
        load = loaded(server, scenario, plan, answer)
        pss = procfs.pss_bytes(server.pids)
    return Sample(
        **vars(load),
        pss_bytes=pss,
        server=peer.name,
        scenario=scenario.name,
        round=number,
        kept_alive=kept_alive,
        file_wrapper=answer.headers.get("x-file-wrapper") != "no",
    )


def loaded(server: Server, scenario: Scenario, plan: Plan, answer: Answer) -> Load:
    """The timed seconds on a server that is warm; `answer` is one that was checked."""
    lines = _count_lines(server.access_log)
    pids = server.pids
    width = _width(scenario, plan)
    cores, client_cores = plan.server_cores(scenario), plan.client_cores(scenario)
    core_before, before = procfs.cores_busy(cores), procfs.cpu_time(pids)
    result = run_wrk(server.port, scenario, client_cores, width, plan.seconds)
    used = procfs.cpu_time(pids) - before
    core_used = procfs.cores_busy(cores) - core_before
    if cores == client_cores:
        core_used -= result.cpu_s
    if server.pids != pids:
        raise BenchError(f"{server.name}: processes changed during the run")
    _check_size(result, answer, width)
    _check_logged(server.access_log, lines + result.requests)
    return Load(
        requests=result.requests,
        seconds=result.seconds,
        user_s=used.user,
        system_s=used.system,
        foreign_s=max(0.0, core_used - used.total),
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        socket_errors=result.socket_errors,
    )


def _width(scenario: Scenario, plan: Plan) -> int:
    return scenario.connections or plan.connections


def _check_size(result: WrkResult, answer: Answer, width: int) -> None:
    """Raises BenchError when wrk's bytes are not those of as many answers as it counted.

    wrk looks at each status and at the end of each body, not at its length. All answers are as
    long as the one that was checked; the bytes beyond them are answers cut off by the run's end.
    A chunked answer may be cut into chunks otherwise, so there only its body must have come.
    """
    least = result.requests * (answer.size if answer.has_length else len(answer.body))
    rest = result.bytes - least
    if rest < 0 or (answer.has_length and rest > answer.size * width):
        raise BenchError(
            f"{result.requests} answers of {answer.size} bytes can't be {result.bytes} bytes"
        )


def _count_lines(path: Path | None) -> int:
    return path.read_bytes().count(b"\n") if path is not None and path.exists() else 0


def _check_logged(path: Path | None, least: int) -> None:
    """Raises BenchError when a server that was to log has not: it would win by not working."""
    if path is None:
        return
    end = time.monotonic() + _LOG_LIMIT_S
    while _count_lines(path) < least:
        if time.monotonic() > end:
            raise BenchError(f"access log has {_count_lines(path)} lines, expected {least}")
        time.sleep(0.1)
