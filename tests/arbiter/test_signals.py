"""Every line of the master's signal table."""

from __future__ import annotations

import os
import re
import signal

import pytest

from harness.wait import until
from harness.wire import Wire, ask, get


def booted(log: str) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", log)]


def test_term_lets_requests_end(serve, accepted):
    server = serve()
    with Wire(server.address) as wire:
        wire.send(get("/sleep/1"))
        accepted(server)
        log = server.assert_clean_exit(signal.SIGTERM)
        answer = wire.read_to_close().rpartition(b"\r\n")[2]
    assert int(answer) in booted(log)
    assert "Handling signal: term" in log
    assert log.count("Worker exiting (pid: ") == 2
    assert log.rstrip().endswith("Shutting down: Master")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_drop_requests(serve, accepted, number):
    server = serve()
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        log = server.assert_clean_exit(number)
    assert f"Handling signal: {number.name[3:].lower()}" in log
    assert log.rstrip().endswith("Shutting down: Master")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_graceful_stop_becomes_quick(serve, accepted, number):
    server = serve(workers=1)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        log = server.assert_clean_exit(number)
    assert "Quick shutdown requested" in log
    assert "SIGKILL" not in log


@pytest.mark.gunicorn_bug("a signal that arrives in one batch with TERM is dropped")
def test_int_right_behind_term_is_heard(serve, accepted):
    server = serve(workers=1)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        os.kill(server.pid, signal.SIGSTOP)
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGINT)
        os.kill(server.pid, signal.SIGCONT)
        assert server.wait_exit() == 0
    assert "SIGKILL" not in server.log()


@pytest.mark.gunicorn_bug("sends SIGKILL and leaves without looking")
def test_worker_that_outlives_graceful_timeout_is_killed(serve, accepted):
    server = serve(workers=1, graceful_timeout=1)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        log = server.assert_clean_exit(signal.SIGTERM)
    assert "was sent SIGKILL! Perhaps out of memory?" in log
    assert log.rstrip().endswith("Shutting down: Master")


def test_ttin_and_ttou_change_the_number_of_workers(serve):
    server = serve(workers=1)
    first = server.workers()[0]
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 2, "a second worker", show=server.log)
    server.wait_log("Booting worker", 2)
    server.send_signal(signal.SIGTTOU)
    until(lambda: len(server.workers()) == 1, "one worker", show=server.log)
    assert first not in server.workers(), "the oldest leaves"
    server.send_signal(signal.SIGTTOU)
    server.wait_log("Handling signal: ttou", 2)
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 2, "two workers: never below one", show=server.log)


def test_ttin_counts_every_signal(serve):
    server = serve(workers=1)
    for count in range(2, 6):
        server.send_signal(signal.SIGTTIN)
        server.wait_log("Handling signal: ttin", count - 1)
    until(lambda: len(server.workers()) == 5, "five workers", show=server.log)


def test_hup_replaces_all_workers_and_resets_their_number(serve):
    server = serve(workers=2)
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 3, "three workers", show=server.log)
    old = set(server.workers())
    server.send_signal(signal.SIGHUP)
    until(
        lambda: len(server.workers()) == 2 and not old & set(server.workers()),
        "two new workers",
        show=server.log,
    )
    log = server.log()
    assert "Handling signal: hup" in log and "Hang up: Master" in log
    assert log.count("Listening at") == 1, "the address did not change"


def test_usr1_reopens_log_files_everywhere(serve, tmp_path):
    path = tmp_path / "error.log"
    server = serve(workers=2, errorlog=str(path))
    until(lambda: path.read_text().count("Booting worker") == 2, "two workers")
    moved = path.rename(tmp_path / "error.log.1")
    server.send_signal(signal.SIGUSR1)

    def holders() -> set[str]:
        links = set()
        for pid in (server.pid, *server.workers()):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith(str(path)):
                    links.add(target)
        return links

    until(lambda: holders() == {str(path)}, "nobody to hold the old file", show=moved.read_text)
    server.assert_clean_exit()
    assert path.read_text().count("Worker exiting") == 2
    assert "Shutting down: Master" in path.read_text()
    assert "Worker exiting" not in moved.read_text()


def test_winch_means_nothing_without_daemon(serve):
    server = serve(loglevel="debug")
    workers = server.workers()
    server.send_signal(signal.SIGWINCH)
    server.wait_log("SIGWINCH ignored. Not daemonized")
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 3, "a third worker", show=server.log)
    assert set(workers) < set(server.workers())


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGKILL, "[ERROR] Worker (pid:{pid}) was sent SIGKILL! Perhaps out of memory?"),
        (signal.SIGSEGV, "[WARNING] Worker (pid:{pid}) was sent SIGSEGV!"),
        (signal.SIGHUP, "[WARNING] Worker (pid:{pid}) was sent SIGHUP!"),
    ],
)
def test_killed_worker_is_reported_and_replaced(serve, number, line):
    server = serve(workers=2)
    server.wait_log("Booting worker", 2)
    victim = server.workers()[0]
    os.kill(victim, number)
    server.wait_log(line.format(pid=victim))
    until(lambda: len(server.workers()) == 2, "a new worker", show=server.log)
    assert victim not in server.workers()


@pytest.mark.gunicorn_bug("a worker that a real-time signal killed")
def test_worker_killed_by_a_real_time_signal_is_not_lost(serve):
    server = serve(workers=1)
    server.wait_log("Booting worker")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGRTMIN + 3)
    server.wait_log(f"[WARNING] Worker (pid:{victim}) was sent signal {signal.SIGRTMIN + 3}!")
    server.wait_log("Booting worker", 2)


def test_worker_that_exits_is_reported_and_replaced(serve):
    server = serve(workers=1)
    with Wire(server.address) as wire:
        wire.send(get("/exit/9"))
        wire.read_to_close()
    victim = booted(server.log())[0]
    server.wait_log(f"[ERROR] Worker (pid:{victim}) exited with code 9.")
    server.wait_log("Booting worker", 2)


def test_worker_told_to_leave_by_hand_is_replaced(serve):
    server = serve(workers=1)
    server.wait_log("Booting worker")
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_log("Worker exiting")
    server.wait_log("Booting worker", 2)


def test_burst_of_every_signal_leaves_a_working_server(serve, order):
    server = serve(workers=2)
    for _ in range(30):
        for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGWINCH):
            server.send_signal(number)
    # The kernel delivers pending signals by number, not in order: TTINs may be handled after the
    # first HUP, and the number of workers never falls below 1. The second HUP comes after all.
    for count in (1, 2):
        server.send_signal(signal.SIGHUP)
        server.wait_log("Hang up: Master", count)
    until(lambda: len(server.workers()) == 2, "two workers", show=server.log)
    assert order(server, "/pid")
    server.assert_clean_exit()


def test_max_requests(serve, order):
    server = serve(workers=1, max_requests=3)
    first = order(server, "/pid")
    # Ours serves until its successor is ready.
    until(lambda: order(server, "/pid") != first, "another worker", show=server.log)
    assert server.wait_log("Autorestarting worker after current request.")


def test_master_leaves_and_workers_follow(serve):
    server = serve(workers=2)
    server.wait_log("Booting worker", 2)
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    server.wait_exit()
    server.wait_log("Parent changed, shutting down: <Worker", 2)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), "workers to leave")


def test_listener_is_closed_before_workers_are_waited_for(serve, accepted):
    server = serve(workers=1)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/3"))
        accepted(server)
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")

        def held_by_master() -> bool:
            fds = f"/proc/{server.pid}/fd"
            links = [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]
            return any(link.startswith("socket:") for link in links)

        until(lambda: not held_by_master(), "the master to close its listener")
        assert wire.read_to_close()


# As if SIGUSR1 came whenever a worker's handler for it changes.
WORST_MOMENTS = """
import os, signal

def post_fork(server, worker):
    install = signal.signal

    def disturbed(number, handler):
        before = install(number, handler)
        if number == signal.SIGUSR1:
            os.kill(os.getpid(), number)
        return before

    signal.signal = disturbed
"""


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_usr1_at_any_moment_kills_no_worker(serve, worker):
    server = serve(workers=1, worker_class=worker, config=WORST_MOMENTS)
    # Only then it has booted for sure, and said so.
    assert ask(server.address, get("/pid")).status == 200
    assert booted(server.log()) == server.workers()
    assert "was sent SIGUSR1" not in server.assert_clean_exit()


# As if SIGUSR1 came when the interpreter has put the default handlers back: later than `atexit`.
LAST_MOMENT = """
import os, signal, sys

class Last:
    def __del__(self, kill=os.kill, pid=os.getpid, number=signal.SIGUSR1):
        kill(pid(), number)

def post_fork(server, worker):
    sys.last_of_all = Last()
"""


@pytest.mark.gunicorn_bug("a worker that leaves dies of SIGUSR1")
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_usr1_kills_no_worker_that_leaves(serve, worker):
    server = serve(workers=1, worker_class=worker, config=LAST_MOMENT)
    server.wait_log("Booting worker")
    log = server.assert_clean_exit()
    assert "Worker exiting" in log
    assert "was sent SIGUSR1" not in log
