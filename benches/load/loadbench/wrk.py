"""wrk, pinned to the client's core."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.scenarios import Scenario

_SCRIPT = Path(__file__).with_name("wrk_summary.lua")
_MARK = "WRK-SUMMARY "
# What wrk is told at most; its unit are whole seconds, so a signal ends it when the time is over.
_SPARE_S = 30


@dataclass(frozen=True)
class WrkResult:
    """What wrk counted: complete responses, seconds, latency in milliseconds, failures."""

    requests: int
    bytes: int
    """All bytes received, those of the responses that the end of the run cut off included."""
    seconds: float
    p50_ms: float
    p99_ms: float
    socket_errors: int
    cpu_s: float
    """CPU time of wrk itself."""


def run_wrk(
    port: int, scenario: Scenario, cores: int | str, connections: int, seconds: float
) -> WrkResult:
    """One run of one wrk thread for `seconds`, which end at one of its ticks of 0.1 s.

    Raises BenchError when a response was not 2xx or 3xx, or when nothing was answered.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchError("wrk is not installed (Debian: apt install wrk)")
    command = ["taskset", "-c", str(cores), wrk, "-t1", f"-c{connections}"]
    command += [f"-d{int(seconds) + _SPARE_S}s", "-s", str(_SCRIPT), "--timeout", "5s"]
    for name, value in scenario.headers:
        command += ["-H", f"{name}: {value}"]
    scheme = "https" if scenario.tls else "http"
    command.append(f"{scheme}://127.0.0.1:{port}{scenario.path}")
    if scenario.upload:
        command += ["--", str(scenario.upload)]
    before = _children_cpu_s()
    code, said = _interrupted(command, seconds)
    cpu_s = _children_cpu_s() - before
    line = next((row for row in said.splitlines() if row.startswith(_MARK)), None)
    if code != 0 or line is None:
        raise BenchError(f"wrk failed ({code}): {said}")
    summary = json.loads(line.removeprefix(_MARK))
    if summary["non_2xx"] or "Non-2xx" in said or not summary["requests"]:
        raise BenchError(f"{scenario.name}: wrk saw failed requests: {said}")
    return WrkResult(
        requests=summary["requests"],
        bytes=summary["bytes"],
        seconds=summary["duration_us"] / 1e6,
        p50_ms=summary["p50_us"] / 1e3,
        p99_ms=summary["p99_us"] / 1e3,
        socket_errors=summary["socket_errors"],
        cpu_s=cpu_s,
    )


def _interrupted(command: list[str], seconds: float) -> tuple[int, str]:
    """Exit status and words of `command`, which is told to end after `seconds`."""
    wrk = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        try:
            said, _ = wrk.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
            said, _ = wrk.communicate(timeout=_SPARE_S)
    finally:
        if wrk.poll() is None:
            wrk.kill()
            wrk.wait()
    return wrk.returncode, said


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
