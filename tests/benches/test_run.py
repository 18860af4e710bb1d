"""The load harness runs: a short round of rgunicorn alone, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.server import TESTS

LOAD = TESTS.parent / "benches" / "load"
TOOLS = ("wrk", "taskset", "openssl")
SCENARIOS = ("close", "keepalive", "upload", "flask", "django", "tls-keepalive", "four-close")
SERVER = "rgunicorn-gthread"


def run(bench: Path, *arguments: str, python: str = sys.executable) -> tuple[int, str]:
    """Exit status and output of run.py with directories of this test's own."""
    done = subprocess.run(
        [sys.executable, str(LOAD / "run.py"), "--quick", "--output", str(bench), *arguments],
        env=os.environ | {"RGUNICORN_BENCH_DIR": str(bench), "RGUNICORN_PYTHON": python},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of one run."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if not {0, 1} <= os.sched_getaffinity(0):
        pytest.skip("the harness pins server and client to cores 0 and 1")
    bench = tmp_path_factory.mktemp("bench")
    parts = ("timed", "dribble", "reload")
    code, said = run(bench, "--servers", SERVER, "--scenarios", *SCENARIOS, "--parts", *parts)
    assert code == 0, said
    assert "min left" in said
    (written,) = bench.glob("load-*.json")
    assert written.with_suffix(".md").stat().st_size > 0
    document: dict[str, Any] = json.loads(written.read_text())
    return document


def test_every_scenario_has_a_figure(found: dict[str, Any]) -> None:
    assert [row["scenario"] for row in found["summary"]] == list(SCENARIOS)
    assert all(row["requests"] > 0 and row["cpu_us"] > 0 for row in found["summary"])
    assert found["failures"] == [] and found["skipped"] == {} and found["absent"] == []


def test_connections_are_kept_where_the_client_keeps_them(found: dict[str, Any]) -> None:
    kept = {row["scenario"]: row["kept_alive"] for row in found["summary"]}
    assert kept == {name: not name.endswith("close") for name in SCENARIOS}


def test_an_honest_client_is_served_among_slow_ones(found: dict[str, Any]) -> None:
    (one,) = found["dribble"]
    assert one["clients"] == 200 and one["among_requests"] > 0 and one["dropped"] == 0


def test_no_request_fails_in_a_reload(found: dict[str, Any]) -> None:
    (one,) = found["reload"]
    assert one["kept_requests"] > 0 and one["closing_requests"] > 0
    assert one["failed"] == 0, one


def test_a_python_without_rgunicorn_is_told(tmp_path: Path) -> None:
    """And not measured as if it had one: exit status and words of run.py --servers."""
    if shutil.which("wrk") is None:
        pytest.skip("not installed: wrk")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    code, said = run(
        tmp_path,
        *("--servers", SERVER, "--scenarios", "keepalive", "--parts", "timed"),
        python=str(python),
    )
    assert code == 1
    assert f"{python} can not import rgunicorn" in said
