"""Forking: no signal is lost, none reaches the wrong process, nothing survives that must not."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from harness.server import children
from harness.wait import until
from harness.wire import exchange, get


def test_master_has_one_thread_at_every_fork(serve):
    config = (
        "import os\n"
        "def pre_fork(server, worker):\n"
        "    server.log.info('threads: %s', len(os.listdir('/proc/self/task')))\n"
    )
    server = serve(workers=3, config=config)
    server.send_signal(signal.SIGHUP)
    log = server.wait_log("threads: ", 6)
    assert log.count("threads: 1\n") == 6


@pytest.mark.gunicorn_bug("the child queues the signal in its copy of the master and forgets it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_worker_told_to_leave_before_it_has_handlers(serve, number):
    config = (
        "import os, signal, time\n"
        "def post_fork(server, worker):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    time.sleep(5)\n"
        "    server.log.info('the signal was lost')\n"
    )
    server = serve(workers=1, config=config, ready=False)
    name = number.name
    server.wait_log(f"was sent {name}!", 2)
    assert "the signal was lost" not in server.log()
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0


def test_signals_for_a_booting_worker_do_not_reach_the_master(serve, order):
    config = (
        "import os, signal\n"
        "def post_fork(server, worker):\n"
        "    for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH):\n"
        "        os.kill(os.getpid(), number)\n"
    )
    server = serve(workers=2, config=config)
    assert order(server, "/pid")
    assert len(server.workers()) == 2
    assert "Handling signal" not in server.log()


def test_log_rotation_while_a_worker_boots(serve, tmp_path):
    path = tmp_path / "error.log"
    config = (
        "import os, signal, time\n"
        "def post_fork(server, worker):\n"
        f"    os.rename({str(path)!r}, {str(path) + '.1'!r})\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    server.log.info('after the rotation')\n"
    )
    server = serve(workers=1, errorlog=str(path), config=config)
    if server.command.is_gunicorn:
        pytest.skip("gunicorn_bug: the signal is lost, the line goes to the old file")
    until(lambda: path.exists() and "after the rotation" in path.read_text(), "the line")
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("the signals reach the child's copy of the master")
def test_signals_right_inside_the_fork(serve, order):
    """They come when the child still has the master's handlers: it must not see them yet."""
    config = (
        "import os, signal\n"
        "def told():\n"
        "    for number in (signal.SIGUSR1, signal.SIGTTIN, signal.SIGWINCH):\n"
        "        os.kill(os.getpid(), number)\n"
        "os.register_at_fork(after_in_child=told)\n"
    )
    server = serve(workers=2, config=config)
    assert order(server, "/pid")
    assert "was sent" not in server.log()
    server.assert_clean_exit()


def test_forks_under_signal_fire(serve, order):
    """Whatever falls between a fork and the child's own handlers, everybody is accounted for."""
    server = serve(workers=4, graceful_timeout=10, timeout=30)
    rng = random.Random(1)
    harmless = [signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGCHLD, signal.SIGWINCH]
    end = time.monotonic() + 6
    while time.monotonic() < end:
        server.send_signal(rng.choice([*harmless, signal.SIGHUP]))
        workers = server.workers()
        if workers and rng.random() < 0.5:
            try:
                os.kill(rng.choice(workers), rng.choice([signal.SIGTERM, signal.SIGKILL]))
            except ProcessLookupError:
                continue
        time.sleep(rng.random() * 0.03)
    count = server.log().count("Hang up: Master")
    server.send_signal(signal.SIGHUP)
    server.wait_log("Hang up: Master", count + 1)
    until(lambda: len(server.workers()) == 4, "four workers", show=server.log)
    assert order(server, "/pid")
    log = server.assert_clean_exit()
    assert "Unhandled exception" not in log
    assert "Traceback" not in log
    assert "WORKER TIMEOUT" not in log
    # TERM and KILL that were meant for workers have not been taken by the master.
    assert log.count("Handling signal: term") == 1


WORKERS = pytest.mark.parametrize("worker_class", ["sync", "gthread", "tiny.TinyWorker"])


@pytest.mark.gunicorn_bug("the child has the worker's handlers and only sets `alive` in its copy")
@WORKERS
def test_children_of_the_app_die_of_sigterm(serve, order, worker_class):
    server = serve(workers=1, worker_class=worker_class, threads=2)
    assert order(server, "/fork") == str(-signal.SIGTERM)
    # And the worker itself still knows what to do.
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("the child hangs")
@WORKERS
def test_multiprocessing_pool_in_a_request(serve, tmp_path, order, worker_class):
    app = tmp_path / "pool.py"
    app.write_text(
        "import multiprocessing, time\n"
        "context = multiprocessing.get_context('fork')\n"
        "def double(n): return 2 * n\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    with context.Pool(2) as pool:\n"
        "        doubled = pool.map(double, [1, 2, 3])\n"
        "    process = context.Process(target=time.sleep, args=(60,))\n"
        "    process.start()\n"
        "    process.terminate()\n"
        "    process.join(20)\n"
        "    return [repr((doubled, process.exitcode)).encode()]\n"
    )
    settings = {"worker_class": worker_class, "threads": 2, "workers": 1}
    server = serve(app="pool:application", chdir=str(tmp_path), **settings)
    assert order(server, "/") == "([2, 4, 6], -15)"
    assert order(server, "/") == "([2, 4, 6], -15)"
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("the child queues the signal in its copy of the master")
def test_process_started_by_a_hook_of_the_master(serve, order):
    config = (
        "import multiprocessing, time\n"
        "def when_ready(server):\n"
        "    context = multiprocessing.get_context('fork')\n"
        "    server.helper = context.Process(target=time.sleep, args=(60,), daemon=True)\n"
        "    server.helper.start()\n"
        "    server.log.info('helper %s', server.helper.pid)\n"
    )
    server = serve(workers=1, config=config)
    helper = int(re.search(r"helper (\d+)", server.wait_log("helper "))[1])
    assert helper in children(server.pid)
    os.kill(helper, signal.SIGTERM)
    until(lambda: helper not in children(server.pid), "the helper to die", show=server.log)
    assert order(server, "/pid")
    assert "Handling signal: term" not in server.log(), "it was not the master's"
    server.assert_clean_exit()


def test_atexit_runs_in_workers_and_in_the_master(serve, tmp_path):
    path = tmp_path / "ended"
    config = (
        "import atexit, os\n"
        "def note():\n"
        f"    with open({str(path)!r}, 'a') as file: print(os.getpid(), file=file)\n"
        "atexit.register(note)\n"
    )
    server = serve(workers=2, config=config)
    server.wait_log("Booting worker", 2)
    pids = {server.pid, *server.workers()}
    server.assert_clean_exit()
    assert {int(line) for line in path.read_text().split()} == pids


@pytest.mark.gunicorn_bug("it stays for ever where no heartbeat is missed, and nobody serves")
@pytest.mark.parametrize("where", ["worker_exit", "atexit", "a thread"])
def test_a_worker_that_hangs_at_its_end_is_ended(serve, order, where):
    config = (
        "import atexit, os, threading, time\n"
        "def hang(*_): time.sleep(600)\n"
        "def post_worker_init(worker):\n"
        "    if worker.age > 1: return\n"
        + {
            "worker_exit": "    worker.hangs = True\n"
            "def worker_exit(server, worker):\n"
            "    if hasattr(worker, 'hangs'): hang()\n",
            "atexit": "    atexit.register(hang)\n",
            "a thread": "    threading.Thread(target=hang).start()\n",
        }[where]
    )
    server = serve(workers=1, config=config, timeout=0, graceful_timeout=1)
    (worker,) = server.workers()
    assert order(server, "/pid")
    os.kill(worker, signal.SIGABRT)
    log = server.wait_log("Booting worker", 2)
    assert f"Worker exiting (pid: {worker})" in log
    assert f"Worker (pid:{worker}) was sent SIGALRM!" in log
    assert worker not in children(server.pid)
    server.assert_clean_exit()


def test_exception_in_a_booted_worker(serve):
    config = "def post_worker_init(worker):\n    worker.run = lambda: 1 / 0\n"
    server = serve(workers=1, config=config)
    log = server.wait_log("exited with code 255.", 2)
    assert "[ERROR] Exception in worker process" in log
    assert "ZeroDivisionError: division by zero" in log
    server.assert_clean_exit()


def test_hooks_may_fork_and_exec(serve, order):
    config = (
        "import subprocess\n"
        "def pre_fork(server, worker):\n"
        "    subprocess.run(['true'], check=True)\n"
    )
    server = serve(workers=2, config=config)
    assert order(server, "/pid")
    server.assert_clean_exit()


def test_worker_process_state_after_the_fork(serve):
    config = (
        "import signal\n"
        "def post_fork(server, worker):\n"
        "    server.log.info('blocked: %s', signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
    )
    server = serve(workers=1, config=config)
    server.wait_log("blocked: set()")
    status = Path(f"/proc/{server.workers()[0]}/status").read_text()
    assert re.search(r"SigBlk:\s0+$", status, re.MULTILINE)


def test_clients_of_a_dead_worker_are_not_held(serve):
    server = serve(workers=2)
    # The master has no copy of the connection: its end is seen when the worker dies.
    assert exchange(server.address, get("/exit/0")) == b""
