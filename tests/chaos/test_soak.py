"""The soak, short: seeded, and every invariant holds. `make soak` is the long one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import faults, programs
from harness.server import TESTS

pytestmark = [
    pytest.mark.ours("it reads our metrics, and injects faults into our system calls"),
    pytest.mark.skipif(bool(faults.missing()), reason=faults.missing()),
    pytest.mark.skipif(bool(programs.missing()), reason=f"not installed: {programs.missing()}"),
    pytest.mark.timeout(400),
]

SECONDS = 12


def soak(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "chaos.soak", "--directory", str(directory), *arguments]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(
        argv, cwd=TESTS, env=env, capture_output=True, text=True, check=False, timeout=390
    )


@pytest.mark.parametrize(("kind", "seed"), [("sync", 11), ("gthread", 12)])
def test_every_invariant_holds(tmp_path: Path, kind: str, seed: int) -> None:
    arguments = ["--kind", kind, "--seed", str(seed), "--seconds", str(SECONDS), "--verbose"]
    done = soak(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout[-12000:]
    assert re.search(r"^(\d+) of \1 invariants hold$", done.stdout, re.MULTILINE)
    assert f"--seed {seed}" in done.stdout
    assert not list(tmp_path.iterdir()), "it is kept only when something does not hold"


def test_what_does_not_hold_is_found(tmp_path: Path) -> None:
    """Kills, and nothing is excused."""
    arguments = ["--kind", "sync", "--seed", "3", "--seconds", "6", "--only", "kill", "--strict"]
    done = soak(tmp_path, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BAD  answers" in done.stdout.partition("What does not hold:")[2]
    (kept,) = tmp_path.iterdir()
    assert {"server.log", "access.log", "timeline.jsonl", "report"} <= set(os.listdir(kept))
