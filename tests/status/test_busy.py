"""A server that has no thread to spare, or is about to stop, still tells how it is."""

from __future__ import annotations

import signal

import pytest

from harness.gate import enter, gate
from harness.server import children
from harness.status import process_of
from harness.wait import until
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("Gunicorn has no status pages")

CHECKS = 40


@pytest.mark.parametrize(
    "settings",
    [{"worker_class": "sync"}, {"worker_class": "gthread", "threads": 2}],
    ids=["sync", "gthread"],
)
def test_every_check_is_answered_while_all_threads_are_in_requests(watched, settings) -> None:
    server, pages = watched("kitchen:app", **settings)
    rooms = 2 * settings.get("threads", 1)
    inside = [enter(server) for _ in range(rooms)]
    # Those have nobody to run them.
    waiting = [Wire(server.address) for _ in range(5)]
    for wire in waiting:
        wire.send(get("/"))
    answers = [pages.ask(path) for path in ("/healthz", "/readyz") for _ in range(CHECKS // 2)]
    assert [status for status, _ in answers] == [200] * CHECKS
    busy = pages.stats()["workers"]
    assert sum(core["in_request"] for worker in busy for core in worker["cores"]) == rooms
    assert {worker["status"] for worker in busy} == {"busy"}
    gate(server).touch()
    for wire in inside + waiting:
        assert wire.response().status == 200
        wire.close()


def test_threads_that_never_come_back_make_the_server_not_ready(watched) -> None:
    server, pages = watched(
        "kitchen:app", workers=1, worker_class="gthread", threads=2, timeout=300, request_timeout=0
    )
    # With the limit at its least, a minute: seen by the unit tests of src/status/health.rs.
    inside = [enter(server) for _ in range(2)]
    assert "threads: ok, 2 of 2 are busy\n" in pages.ask("/readyz")[1]
    gate(server).touch()
    for wire in inside:
        wire.response()
        wire.close()


def test_a_full_queue_is_not_ready(watched) -> None:
    server, pages = watched(
        "kitchen:app", workers=1, worker_class="gthread", threads=1, max_queue=2
    )
    inside = enter(server)
    waiting = []
    for _ in range(2):
        wire = Wire(server.address)
        wire.send(get("/"))
        waiting.append(wire)
    until(
        lambda: pages.ask("/readyz")[0] == 503, "a full queue", show=lambda: pages.ask("/readyz")[1]
    )
    status, body = pages.ask("/readyz")
    assert body.startswith("not ready\n") and "queue: FAILED, 2 wait, and 2 may" in body
    assert pages.ask("/healthz") == (200, "ok\n")
    gate(server).touch()
    for wire in [inside, *waiting]:
        assert wire.response().status == 200
        wire.close()
    until(lambda: pages.ask("/readyz")[0] == 200, "an empty queue")


def test_a_server_that_waits_for_its_balancer_is_not_ready_and_serves(watched) -> None:
    server, pages = watched("kitchen:app", shutdown_delay=60)
    server.send_signal(signal.SIGTERM)
    until(lambda: pages.ask("/readyz")[0] == 503, "to be not ready")
    assert "server: FAILED, it is about to stop" in pages.ask("/readyz")[1]
    assert pages.ask("/healthz") == (200, "ok\n")
    with Wire(server.address) as wire:
        wire.send(get("/"))
        assert wire.response().status == 200
    # The delay is over; the pages live as long as a request does.
    inside = enter(server)
    server.send_signal(signal.SIGTERM)
    server.wait_log("Handling signal: term", 2)
    until(lambda: pages.stats()["rgunicorn"]["course"] == "closing", "the stop to begin")
    assert pages.ask("/readyz")[0] == 503 and pages.ask("/healthz")[0] == 200
    gate(server).touch()
    assert inside.response().status == 200
    inside.close()
    assert server.wait_exit() == 0
    assert pages.refuses()


def test_before_the_first_worker_has_booted_it_is_alive_and_not_ready(watched) -> None:
    server, pages = watched("late:app", workers=1, ready=False)
    pid = process_of(server)
    until(lambda: not pages.refuses(), "the pages")
    assert pages.ask("/healthz") == (200, "ok\n")
    status, body = pages.ask("/readyz")
    assert status == 503 and "workers: FAILED, none of 1 has booted" in body
    (server.directory / "gate").touch()
    pages.wait_ready(server)
    assert process_of(server) == pid
    assert pid in children(server.pid)
