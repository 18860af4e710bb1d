"""Workers that are replaced one at a time, the successor first: `max_requests`, `max_rss`,
`max_worker_lifetime`."""

from __future__ import annotations

import re

import pytest

from arbiter.live import Live
from harness import kinds
from harness.load import load
from harness.server import Server
from harness.wait import until
from harness.wire import ask, get

pytestmark = pytest.mark.ours("Gunicorn's workers leave first, and know only max_requests")

ENOUGH = "[INFO] Autorestarting worker after current request."

HOARDER = """
import os
{top}
kept = []
def application(environ, start_response):
    size = int(environ["PATH_INFO"].strip("/") or 0)
    kept.append(os.urandom(size << 20))
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def assert_one_at_a_time(server: Server, workers: int) -> None:
    """By the lines of the log, which one process after the other has written."""
    now = most = 0
    complete = False
    for line in server.log().partition("Handling signal: term")[0].splitlines():
        now += ("Booting worker" in line) - ("Worker exiting" in line)
        most = max(most, now)
        complete |= now == workers
        assert not complete or now >= workers, "a worker left before its successor was forked"
    assert most == workers + 1


@pytest.fixture
def hoarder(serve, tmp_path):
    """`hoarder(top="", **options of serve)`: `GET /N` keeps N MiB and answers the pid."""

    def start(top: str = "", **options: object) -> Server:
        (tmp_path / "hoarder.py").write_text(HOARDER.format(top=top))
        options = {"app": "hoarder:application", "chdir": str(tmp_path), **options}
        server = serve(**options)
        server.wait_log("Booting worker", int(str(server.settings["workers"])))
        return server

    return start


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_max_requests_under_load(serve, kind):
    settings = {"threads": 4, "workers": 2, "max_requests": 30, **kind.settings}
    server = serve(app="kitchen:app", **settings)
    server.wait_log("Booting worker", 2)
    first = server.workers()
    with load(server.address) as clients:
        server.wait_log(ENOUGH, 5)
        until(lambda: not set(first) & set(server.workers()), "new workers", show=server.log)
        clients.wait_answers(20)
    clients.assert_nothing_lost()
    server.assert_clean_exit()
    assert_one_at_a_time(server, 2)


def test_one_request_for_each_process(serve, order):
    """Who asks for that wants nothing of one request to meet another."""
    server = serve(workers=2, max_requests=1)
    pids = [order(server, "/pid") for _ in range(6)]
    assert len(set(pids)) == 6


def test_a_worker_whose_successor_can_not_boot_serves_on(serve, tmp_path):
    it = Live(tmp_path)
    it.write("first")
    it.server = serve(app="live:application", chdir=str(tmp_path), workers=2, max_requests=5)
    it.server.wait_log("Booting worker", 2)
    until(lambda: it.answer()[0] == "first", "an answer")
    it.write("broken", "raise ValueError('broken')")
    until(lambda: it.answer() and ENOUGH in it.server.log(), "enough")
    it.server.wait_log("failed to boot, the others serve on; next try in 1 s")
    workers = it.server.workers()
    assert [it.answer()[0] for _ in range(20)] == ["first"] * 20
    it.write("second")
    until(lambda: it.answer()[0] == "second", "a successor", show=it.server.log)
    until(lambda: set(workers) != set(it.server.workers()), "its predecessor to leave")
    it.server.assert_clean_exit()


def test_a_fork_that_fails_keeps_who_was_to_be_replaced(serve, order):
    config = (
        "left = [1]\n"
        "def pre_fork(server, worker):\n"
        "    if worker.age == 2 and left: raise OSError(f'no room {left.pop()}')\n"
    )
    server = serve(workers=1, max_requests=3, config=config)
    first = order(server, "/pid")
    until(lambda: order(server, "/pid") != first, "a successor", show=server.log)
    log = server.assert_clean_exit()
    assert log.count("[ERROR] The worker that was to be replaced serves on; next try in 1 s") == 1
    assert "OSError: no room" in log


def test_lifetime(serve, order):
    server = serve(workers=2, max_worker_lifetime="500ms", max_worker_lifetime_jitter=1)
    server.wait_log("Booting worker", 2)
    first = server.workers()
    until(lambda: not set(first) & set(server.workers()), "new workers", show=server.log)
    assert order(server, "/pid")
    log = server.assert_clean_exit()
    line = r"\[INFO\] Worker \(pid:%s\) is \d s old, above max_worker_lifetime = 0.5: it leaves"
    assert all(len(re.findall(line % pid, log)) == 1 for pid in first)
    assert_one_at_a_time(server, 2)


MEMORY = (
    r"\[WARNING\] Worker has (\S+) MiB of memory of its own, above {} = 90.0 MiB "
    r"\(RSS (\S+) MiB, PSS (\S+) MiB\): it leaves {}\n"
)


@pytest.mark.parametrize("worker", ["sync", "gthread", "hoarder.Own"])
def test_max_rss(hoarder, order, worker):
    top = "from gunicorn.workers.sync import SyncWorker\nclass Own(SyncWorker):\n"
    top += "    def handle(self, *args): super().handle(*args)\n"
    server = hoarder(top, workers=2, worker_class=worker, max_rss="90M")
    pid = order(server, "/100")
    line = "it leaves when its successor is ready"
    until(lambda: order(server, "/0") and line in server.log(), "a look", show=server.log)
    log = server.log()
    until(lambda: int(pid) not in server.workers(), "it to leave", show=server.log)
    private, rss, pss = map(float, re.findall(MEMORY.format("max_rss", "when its.*"), log)[0])
    assert 90 < private <= pss <= rss
    assert "Exception ignored" not in server.assert_clean_exit()
    assert_one_at_a_time(server, 2)


def test_what_is_shared_with_the_master_does_not_count(hoarder, order):
    server = hoarder("shared = os.urandom(120 << 20)", max_rss="90M", preload_app=True)
    pids = {order(server, "/1") for _ in range(3)}
    # Long enough for a look at the memory.
    assert set(map(int, pids)) <= set(server.workers())
    until(lambda: order(server, "/40") and "above max_rss = 90.0 MiB" in server.log(), "its own")
    server.assert_clean_exit()


def test_max_rss_hard_does_not_wait_for_a_successor(hoarder, order, tmp_path):
    server = hoarder(workers=2, max_rss_hard="90M", max_rss="50M")
    pid = order(server, "/10")
    (tmp_path / "hoarder.py").write_text("raise ValueError('broken')\n")
    pid = order(server, "/100")
    server.wait_log("it leaves now")
    until(lambda: int(pid) not in server.workers(), "it to leave", show=server.log)
    assert order(server, "/1")
    server.wait_log("failed to boot, the others serve on")
    assert re.search(MEMORY.format("max_rss_hard", "now"), server.log())


def test_ttou_while_one_is_replaced(serve, tmp_path):
    import signal

    it = Live(tmp_path)
    it.write("first")
    it.server = serve(app="live:application", chdir=str(tmp_path), workers=2, max_requests=5)
    it.server.wait_log("Booting worker", 2)
    until(lambda: it.answer()[0] == "first", "an answer")
    it.write_gated("second")
    until(lambda: it.answer() and "importing\n" in it.server.log(), "a successor")
    it.server.send_signal(signal.SIGTTOU)
    until(lambda: len(it.server.workers()) <= 2, "one of three to leave", show=it.server.log)
    assert ask(it.server.address, get("/")).body.startswith(b"first")
    it.gate.touch()
    until(lambda: len(it.server.workers()) == 1, "one worker", show=it.server.log)
    it.server.assert_clean_exit()
