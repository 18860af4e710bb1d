"""`worker.nr` and `worker.alive`, which hooks and subclasses read and set, and what a sync worker
holds from request to request: nobody else has to do without."""

from __future__ import annotations

import pytest

from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wire import Wire, ask, get

pytestmark = pytest.mark.only("none of this depends on the transport", "tcp")

TELL = """
def {hook}(worker, req{more}):
    {job}
    worker.log.info("nr %r, alive %r", worker.nr, worker.alive)
"""


def start(spawn: Spawn, mode: Mode, hook: str, job: str = "", **settings: object) -> Server:
    more = ", environ, resp" if hook == "post_request" else ""
    config = TELL.format(hook=hook, more=more, job=job)
    return spawn("standing:app", settings={**mode.settings, **settings}, config=config)


@pytest.mark.parametrize("hook", ["pre_request", "post_request"])
def test_hooks_see_how_many_requests_there_were(spawn: Spawn, mode: Mode, hook: str) -> None:
    server = start(spawn, mode, hook)
    for _ in range(3):
        assert ask(server.address, get("/")).status == 200
    first = 0 if hook == "pre_request" else 1
    for count in range(first, first + 3):
        server.wait_log(f"nr {count}, alive True")


def test_a_hook_may_begin_to_count_anew(spawn: Spawn, mode: Mode) -> None:
    server = start(spawn, mode, "post_request", "worker.nr = 0", max_requests=2)
    before = server.workers()
    for _ in range(6):
        assert ask(server.address, get("/")).status == 200
    server.wait_log("nr 0, alive True", 6)
    assert server.workers() == before


def test_a_hook_may_end_the_worker(spawn: Spawn, mode: Mode) -> None:
    server = start(spawn, mode, "pre_request", "worker.alive = 0")
    before = server.workers()
    assert ask(server.address, get("/")).header("Connection") == "close"
    server.wait_log("nr 0, alive")
    server.wait_log("Booting worker", 2)
    assert server.workers() != before


@pytest.mark.only("a class of the sync worker", "sync")
def test_a_class_may_have_its_own_words(spawn: Spawn) -> None:
    server = spawn("standing:app", settings={"worker_class": "standing.OwnWords"})
    before = server.workers()
    for _ in range(3):
        assert ask(server.address, get("/")).status == 200
    server.wait_log("Booting worker", 2)
    assert server.workers() != before


@pytest.mark.ours("sync_keepalive", "sync")
@pytest.mark.parametrize("path, rounds", [("/", 20), ("/compute", 2)])
def test_other_threads_of_the_application_have_their_turn(
    spawn: Spawn, mode: Mode, path: str, rounds: int
) -> None:
    """Also while requests are always ready."""
    server = spawn("standing:app", settings={**mode.settings, **mode.keep_alive})
    with Wire(server.address) as one, Wire(server.address) as other:
        turns = int(one.send(get("/begin")).response().body)
        for _ in range(rounds):
            for wire in (one, other):
                wire.send(get(path) * 20)
            for wire in (one, other):
                for _ in range(20):
                    response = wire.response()
                    assert response.status == 200
                    last = int(response.body)
        assert last > turns
