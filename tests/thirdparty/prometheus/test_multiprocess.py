"""prometheus_client in multiprocess mode: `child_exit` says which worker is dead."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from harness.mode import MODES
from harness.server import Command, Server, spawner
from harness.wait import until
from harness.wire import ask, get

HERE = Path(__file__).parent
TCP = [mode for mode in MODES if mode.transport == "tcp"]
CHILD_EXIT = """
from prometheus_client import multiprocess

def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
"""


@pytest.mark.parametrize("mode", TCP, ids=str)
def test_a_worker_that_ends_takes_only_its_gauges_along(
    beside_others: Command, tmp_path: Path, mode: object
) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir()
    env = {"PYTHONPATH": str(HERE), "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    with spawner(tmp_path, beside_others) as spawn:
        server = spawn("metered:app", mode, settings={"workers": 2}, config=CHILD_EXIT, env=env)
        # An application is imported by each worker: then its door is open.
        until(lambda: metric(server, "open_doors") == 2, "both workers", show=server.log)

        first = int(ask(server.address, get("/order")).body)
        for _ in range(4):
            ask(server.address, get("/order"))
        assert metric(server, "orders_total") == 5
        assert gauges(directory) == set(server.workers())

        os.kill(first, signal.SIGTERM)
        server.wait_log("Booting worker", 3)
        until(lambda: metric(server, "open_doors") == 2, "the new worker's door", show=server.log)
        # What it counted is counted for ever.
        assert metric(server, "orders_total") == 5
        assert first not in server.workers()
        assert gauges(directory) == set(server.workers())

        server.assert_clean_exit()
        assert gauges(directory) == set()


def metric(server: Server, name: str) -> float:
    text = ask(server.address, get("/metrics")).body.decode()
    values = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    # One that nobody has yet is not on the page.
    return float(values[0]) if values else 0.0


def gauges(directory: Path) -> set[int]:
    """Pids whose gauges are in the directory."""
    return {int(path.stem.split("_")[-1]) for path in directory.glob("gauge_livesum_*.db")}
