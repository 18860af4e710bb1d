"""Workers that say nothing: who is aborted, who is killed, who is left alone."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from harness.wait import until
from harness.wire import Wire, get


def test_stuck_worker_is_aborted(serve):
    config = "def worker_abort(worker):\n    worker.log.info('abort hook')\n"
    server = serve(workers=1, timeout=1, config=config)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        wire.read_to_close()
    log = server.wait_log("Booting worker", 2)
    pid = log.partition("[CRITICAL] WORKER TIMEOUT (pid:")[2].partition(")")[0]
    assert "abort hook" in log
    # The abort handler's SystemExit ends the request; the sync worker leaves by itself.
    code = f"Worker (pid:{pid}) exited with code 1."
    assert (code in log) == (server.settings["worker_class"] != "sync")
    assert "SIGKILL" not in log


def test_worker_that_ignores_sigabrt_is_killed(serve):
    server = serve(workers=1, timeout=1)
    with Wire(server.address) as wire:
        wire.send(get("/hang"))
        wire.read_to_close()
    log = server.wait_log("Booting worker", 2)
    assert log.count("[CRITICAL] WORKER TIMEOUT (pid:") == 1
    assert "was sent SIGKILL!" in log


def test_silent_worker_class(serve):
    server = serve(workers=1, timeout=1, worker_class="tiny.MuteWorker")
    server.wait_log("[CRITICAL] WORKER TIMEOUT (pid:", 2)
    server.wait_log("Booting worker", 3)
    server.assert_clean_exit()


def test_import_takes_as_long_as_it_takes(serve, order):
    config = "def post_fork(server, worker):\n    import time\n    time.sleep(3)\n"
    server = serve(workers=1, timeout=1, config=config)
    assert order(server, "/pid")
    assert "WORKER TIMEOUT" not in server.log()


HANGS = """
import os, signal, time
if not os.path.exists("hung"):
    open("hung", "w").close()
    {first}
    def waits_for_ever():
        while True:
            time.sleep(60)
    waits_for_ever()
from tiny import application
"""


@pytest.mark.gunicorn_bug("a hung import is never timed out")
@pytest.mark.parametrize("first", ["pass", "signal.signal(signal.SIGABRT, signal.SIG_IGN)"])
def test_import_that_hangs(serve, order, tmp_path, first):
    (tmp_path / "hangs.py").write_text(HANGS.format(first=first))
    config = "from gunicorn.arbiter import Arbiter\nArbiter.BOOT_TIMEOUT = 2\n"
    options = {"app": "hangs:application", "chdir": str(tmp_path), "config": config}
    server = serve(workers=1, timeout=1, **options)
    assert order(server, "/pid")
    log = server.log()
    line = "[CRITICAL] WORKER BOOT TIMEOUT (pid:{}): the application is not loaded after 2 s"
    pid = log.partition("Booting worker with pid: ")[2].partition("\n")[0]
    assert log.count(line.format(pid)) == 1
    assert re.search(r'File ".*hangs.py", line \d+ in waits_for_ever\n', log), "its stack"
    assert ("was sent SIGKILL!" in log) == (first != "pass")
    server.assert_clean_exit()


def test_timeout_zero_is_off(serve, order):
    server = serve(workers=1, timeout=0)
    assert order(server, "/sleep/3")
    assert "WORKER TIMEOUT" not in server.log()


@pytest.mark.gunicorn_bug("kills every worker when the machine wakes up")
def test_workers_survive_the_sleep_of_the_machine(serve, order):
    server = serve(workers=2, timeout=3)
    server.wait_log("Booting worker", 2)
    assert order(server, "/pid")
    workers = server.workers()
    # The whole session stops, as with a frozen container or a suspended laptop.
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        time.sleep(6)
    finally:
        os.killpg(server.pid, signal.SIGCONT)
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 3, "the master to work", show=server.log)
    assert set(workers) < set(server.workers())
    assert "WORKER TIMEOUT" not in server.log()


def test_heartbeat_file_in_a_directory(serve, order, tmp_path):
    server = serve(workers=1, worker_tmp_dir=str(tmp_path), timeout=2)
    assert order(server, "/sleep/1")
    assert not list(tmp_path.glob("wgunicorn*")), "nothing with a name"
    links = {
        os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")
    }
    assert any(link.startswith(str(tmp_path)) and link.endswith("(deleted)") for link in links)


def test_heartbeat_directory_that_is_missing(serve, tmp_path):
    server = serve(workers=1, worker_tmp_dir=str(tmp_path / "no"), ready=False)
    if not server.command.is_gunicorn:
        # An error of the start, in one line; Gunicorn fails at the first fork.
        assert server.wait_exit() == 1
        assert "Traceback" not in server.log()
    else:
        assert server.wait_exit() == 255
    assert f"{tmp_path / 'no'} doesn't exist. Can't create workertmp." in server.log()
