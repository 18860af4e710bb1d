"""`log_slow`: requests that take long are named while they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.mode import Mode
from harness.overdue import Gates
from harness.server import Spawn

WORKERS = {"sync": Mode("sync"), "gthread": Mode("gthread")}


@pytest.mark.parametrize("worker", WORKERS)
def test_named_once_while_it_runs(worker: str, spawn: Spawn, tmp_path: Path) -> None:
    gates = Gates(spawn, tmp_path, mode=WORKERS[worker], settings={"log_slow": 0.5})
    (pid,) = gates.server.workers()
    for _ in range(3):
        with gates.ask("/negligible") as wire:
            assert wire.response().status == 200
    with gates.ask("/stuck/a?secret=1") as wire:
        gates.server.wait_log("Slow request: GET /stuck/a runs for")
        assert not (tmp_path / "a.out").exists()
        # Longer than it would take to say it twice.
        with gates.ask("/stuck/b"):
            if worker == "gthread":
                gates.server.wait_log("Slow request: GET /stuck/b runs for")
            gates.open("a")
            assert wire.response().status == 200
            gates.open("b")
            gates.wait("b.out")
    log = gates.log()
    assert log.count("Slow request: GET /stuck/a") == 1
    (line,) = (line for line in log.splitlines() if "Slow request: GET /stuck/a" in line)
    assert "[WARNING]" in line and f"(pid:{pid})" in line and "secret" not in line
    assert "File " not in log
    assert gates.server.workers() == [pid]


@pytest.mark.parametrize("worker", WORKERS)
def test_stack_at_half_time(worker: str, spawn: Spawn, tmp_path: Path) -> None:
    settings = {"log_slow": 0.2, "request_timeout": 2}
    gates = Gates(spawn, tmp_path, mode=WORKERS[worker], settings=settings)
    with gates.ask("/stuck/a") as wire:
        log = gates.server.wait_log("Stack at half the request_timeout: GET /stuck/a runs for")
        assert "REQUEST TIMEOUT" not in log and "in stuck_in_python" in log
        gates.open("a")
        assert wire.response().status == 200
    gates.until(lambda: gates.access_lines("/stuck/a"), "the access line")
    assert gates.access_lines("/stuck/a") == ["200"]
