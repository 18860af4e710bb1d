"""wrk, pinned to the client's core."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.scenarios import Scenario

_SCRIPT = Path(__file__).with_name("wrk_summary.lua")
_MARK = "WRK-SUMMARY "


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


def run_wrk(port: int, scenario: Scenario, core: int, connections: int, seconds: int) -> WrkResult:
    """One run of one wrk thread for whole `seconds`, wrk's unit.

    Raises BenchError when a response was not 2xx or 3xx, or when nothing was answered.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchError("wrk is not installed (Debian: apt install wrk)")
    command = ["taskset", "-c", str(core), wrk, "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["-s", str(_SCRIPT), "--timeout", "5s"]
    for name, value in scenario.headers:
        command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{port}{scenario.path}")
    if scenario.upload:
        command += ["--", str(scenario.upload)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    line = next((row for row in done.stdout.splitlines() if row.startswith(_MARK)), None)
    if done.returncode != 0 or line is None:
        raise BenchError(f"wrk failed ({done.returncode}): {done.stdout}{done.stderr}")
    summary = json.loads(line.removeprefix(_MARK))
    if summary["non_2xx"] or "Non-2xx" in done.stdout or not summary["requests"]:
        raise BenchError(f"{scenario.name}: wrk saw failed requests: {done.stdout}")
    return WrkResult(
        requests=summary["requests"],
        bytes=summary["bytes"],
        seconds=summary["duration_us"] / 1e6,
        p50_ms=summary["p50_us"] / 1e3,
        p99_ms=summary["p99_us"] / 1e3,
        socket_errors=summary["socket_errors"],
    )
