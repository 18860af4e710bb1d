"""SIGKILL for the master, with worker classes that need a package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import orphans
from harness.server import Spawn, spawner, thirdparty


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


@pytest.mark.parametrize("worker", ["gevent", "gevent_pywsgi", "tornado"])
def test_workers_answer_and_leave(spawn: Spawn, worker: str) -> None:
    settings = {"worker_class": worker, "workers": 2, "timeout": 3600, "keepalive": 300}
    server = spawn("threaded:app", settings=settings)
    server.wait_log("Booting worker", 2)
    # gevent's own server waits for its idle connections, up to `graceful_timeout`.
    orphans.leave(server, "closed" if worker == "gevent_pywsgi" else "kept")
