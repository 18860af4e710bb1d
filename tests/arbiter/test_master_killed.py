"""SIGKILL for the master: its workers notice within a second, end what they run, and leave."""

from __future__ import annotations

import pytest

from harness import kinds, orphans

pytestmark = pytest.mark.gunicorn_bug("workers notice after half of `timeout`")

# Longer than any test, so that it is not the heartbeat that makes them look.
TIMEOUT = 3600


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_workers_answer_and_leave(serve, kind):
    settings = {"threads": 2, "timeout": TIMEOUT, **kind.settings}
    server = serve(app="threaded:app", workers=2, **settings)
    server.wait_log("Booting worker", 2)
    orphans.leave(server, "kept" if kind.keeps_alive else "closed")


@pytest.mark.parametrize("worker", ["overriding.Sync", "overriding.Threads"])
def test_loops_in_python_too(serve, worker):
    server = serve(app="threaded:app", workers=2, threads=2, timeout=TIMEOUT, worker_class=worker)
    server.wait_log("Booting worker", 2)
    orphans.leave(server, "closed")
