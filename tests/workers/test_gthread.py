"""The gthread worker as applications, hooks and operators see it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.gate import enter, gate
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Response, Wire, get

THREADS = {"worker_class": "gthread", "threads": 4}


def fetch(server: Server, path: str) -> Response:
    """One request on a connection of its own."""
    with Wire(server.address) as wire:
        return wire.send(get(path, "Connection: close")).response()


def seen(server: Server, path: str = "/who") -> dict[str, Any]:
    found = fetch(server, path)
    assert found.status == 200, found
    return json.loads(found.body)


def together(server: Server, count: int) -> list[dict[str, Any]]:
    """`count` requests, each of which is in the application until all are."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: seen(server, f"/meet/{count}"), range(count)))


def through(wire: Wire) -> dict[str, Any]:
    found = wire.response()
    assert found.status == 200
    return json.loads(found.body)


@pytest.mark.parametrize(
    "settings",
    [
        {"worker_class": "gthread", "threads": 3},
        {"threads": 3},
        {"worker_class": "gunicorn.workers.sync.SyncWorker", "threads": 3},
    ],
    ids=["gthread", "threads", "sync by name"],
)
def test_as_many_requests_at_once_as_there_are_threads(
    spawn: Spawn, settings: dict[str, object]
) -> None:
    server = spawn("threaded:app", settings=settings)
    assert "[INFO] Using worker: gthread\n" in server.log()
    found = together(server, 3)
    assert len({one["ident"] for one in found}) == 3
    assert len({one["pid"] for one in found}) == 1
    assert {one["multithread"] for one in found} == {True}
    assert {one["main"] for one in found} == {False}
    # The process waits for them at its end.
    assert {one["daemon"] for one in found} == {False}
    server.assert_clean_exit()


@pytest.mark.ours("names of its own; Gunicorn's are those of its pool")
def test_threads_have_names(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={**THREADS, "workers": 2})
    names = {f"gthread-{number}" for number in (1, 2, 3, 4)}
    assert {one["thread"] for _ in range(20) for one in [seen(server)]} <= names


def test_one_thread_is_gthread_too(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={"worker_class": "gthread"})
    assert "[INFO] Using worker: gthread\n" in server.log()
    first, second = seen(server), seen(server)
    assert first["multithread"] is True
    assert first["ident"] == second["ident"]
    assert (first["local"], second["local"]) == (1, 2)


def test_no_thread_at_all_is_an_error_at_boot(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={"worker_class": "gthread", "threads": 0}, ready=False)
    assert server.wait_exit() == 3
    assert "max_workers must be greater than 0" in server.log()
    assert "Reason: Worker failed to boot." in server.log()


def test_thread_locals_and_context_variables_belong_to_a_thread(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={**THREADS, "threads": 2})
    for turn in (1, 2, 3):
        for one in together(server, 2):
            assert one["local"] == turn
            assert one["variable"] == one["ident"]
            # What the same thread left there; never what another one has.
            assert one["before"] == (None if turn == 1 else one["ident"])


HOOKS = """
import threading

def tell(name, worker):
    worker.log.info("hook %s in %s", name, threading.current_thread().name)

def post_fork(server, worker): tell("post_fork", worker)
def post_worker_init(worker): tell("post_worker_init", worker)
def worker_int(worker): tell("worker_int", worker)
def worker_abort(worker): tell("worker_abort", worker)
def pre_request(worker, req): tell("pre_request", worker)
def post_request(worker, req, environ, resp): tell("post_request", worker)
def worker_exit(server, worker):
    tell("worker_exit", worker)
    worker.log.info("worker %s has served %s", worker.pid, worker.nr)
"""


def test_hooks_run_once_for_a_worker_and_once_for_a_request(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings=THREADS, config=HOOKS)
    threads = [one["thread"] for _ in range(3) for one in together(server, 4)]
    log = server.assert_clean_exit(signal.SIGQUIT)
    for name in ("post_fork", "post_worker_init", "worker_int", "worker_exit"):
        assert log.count(f"hook {name} in MainThread") == log.count(f"hook {name} ") == 1
    for name in ("pre_request", "post_request"):
        # In the thread that runs the request.
        for thread in set(threads):
            assert log.count(f"hook {name} in {thread}\n") == threads.count(thread)


@pytest.mark.gunicorn_bug("two threads may say the same, or lose a count")
@pytest.mark.parametrize("keepalive", [0, 5])
def test_max_requests_counts_the_requests_of_all_threads(spawn: Spawn, keepalive: int) -> None:
    """Every request is answered, and counted once, although four threads count."""
    settings = {**THREADS, "workers": 2, "max_requests": 25, "keepalive": keepalive}
    server = spawn("threaded:app", settings=settings, config=HOOKS)
    with ThreadPoolExecutor(8) as pool:
        pids = [one["pid"] for one in pool.map(lambda _: seen(server), range(400))]
    log = server.assert_clean_exit()
    counted = {pid: log.count(f"worker {pid} has served {pids.count(pid)}\n") for pid in set(pids)}
    assert set(counted.values()) == {1}, counted
    enough = log.count("Autorestarting worker after current request.")
    assert enough == sum(pids.count(pid) >= 25 for pid in counted)
    # One that has served enough serves on until its successor is ready.
    assert enough >= 1


def test_room_for_kept_alive_connections(spawn: Spawn) -> None:
    words = (
        "[WARNING] No keepalived connections can be handled. Check the number of worker "
        "connections and threads."
    )
    tight = {**THREADS, "workers": 2, "worker_connections": 4}
    assert spawn("threaded:app", settings=tight).log().count(words) == 1
    for more in ({"worker_connections": 5}, {"keepalive": 0}):
        assert words not in spawn("threaded:app", settings={**tight, **more}).log()


@pytest.mark.parametrize("to", ["master", "worker"])
def test_term_waits_for_running_requests(spawn: Spawn, to: str) -> None:
    server = spawn("threaded:app", settings=THREADS)
    (worker,) = server.workers()
    with enter(server) as one, enter(server) as two:
        os.kill(server.pid if to == "master" else worker, signal.SIGTERM)
        if to == "master":
            server.wait_log("Handling signal: term")
        gate(server).touch()
        assert through(one)["pid"] == through(two)["pid"] == worker
    server.wait_log(f"Worker exiting (pid: {worker})")
    if to == "master":
        assert server.wait_exit() == 0
    else:
        until(lambda: server.workers() not in ([], [worker]), "a new worker", show=server.log)
        assert seen(server)["pid"] != worker


@pytest.mark.parametrize("to", ["master", "worker"])
def test_quit_leaves_at_once_but_requests_that_end_are_answered(spawn: Spawn, to: str) -> None:
    server = spawn("threaded:app", settings=THREADS, config=HOOKS)
    (worker,) = server.workers()
    with enter(server) as one, enter(server) as two:
        os.kill(server.pid if to == "master" else worker, signal.SIGQUIT)
        # The main thread has gone as far as it can.
        log = server.wait_log(f"Worker exiting (pid: {worker})")
        assert log.count("hook worker_int in MainThread") == 1
        gate(server).touch()
        assert through(one)["pid"] == through(two)["pid"] == worker
    if to == "master":
        assert server.wait_exit() == 0
    else:
        assert seen(server)["pid"] != worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_what_takes_longer_than_graceful_timeout_is_killed(
    spawn: Spawn, number: signal.Signals
) -> None:
    server = spawn("threaded:app", settings={**THREADS, "graceful_timeout": 1})
    (worker,) = server.workers()
    with enter(server) as wire:
        server.send_signal(number)
        assert server.wait_exit() == 0
        with contextlib.suppress(ConnectionResetError):
            assert wire.read_to_close() == b""
    until(lambda: not Path(f"/proc/{worker}").exists(), "the worker's end", show=server.log)


def test_abrt_ends_with_1_and_runs_its_hook_in_the_main_thread(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings=THREADS, config=HOOKS)
    (worker,) = server.workers()
    with enter(server) as wire:
        os.kill(worker, signal.SIGABRT)
        server.wait_log("hook worker_abort in MainThread")
        gate(server).touch()
        assert through(wire)["pid"] == worker
    server.wait_log(f"[ERROR] Worker (pid:{worker}) exited with code 1.")
    assert seen(server)["pid"] != worker


def test_timeout_is_about_the_worker_not_about_a_request(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={**THREADS, "timeout": 2})
    workers = server.workers()
    assert seen(server, "/sleep/5")["pid"] == workers[0]
    assert server.workers() == workers
    assert "WORKER TIMEOUT" not in server.log()


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="nobody else waits")
def test_a_worker_that_hangs_as_a_whole_is_replaced(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings={**THREADS, "timeout": 1})
    (worker,) = server.workers()
    with Wire(server.address) as wire:
        wire.send(get("/hang/60"))
        with contextlib.suppress(ConnectionResetError):
            assert wire.read_to_close() == b""
    log = server.wait_log("Booting worker", 2)
    assert f"[CRITICAL] WORKER TIMEOUT (pid:{worker})" in log
    assert seen(server)["pid"] != worker


def test_hup_is_no_workers_signal(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings=THREADS)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGHUP)
    server.wait_log(f"[WARNING] Worker (pid:{worker}) was sent SIGHUP!")
    assert seen(server)["pid"] != worker


def test_reload_waits_for_running_requests(spawn: Spawn) -> None:
    server = spawn("threaded:app", settings=THREADS)
    (worker,) = server.workers()
    with enter(server) as wire:
        server.send_signal(signal.SIGHUP)
        server.wait_log("Booting worker", 2)
        until(lambda: seen(server)["pid"] != worker, "the new worker to serve", show=server.log)
        gate(server).touch()
        assert through(wire)["pid"] == worker
    server.wait_log(f"Worker exiting (pid: {worker})")
    server.assert_clean_exit()


def test_usr1_reopens_logs_while_every_thread_is_busy(spawn: Spawn, tmp_path: Path) -> None:
    settings = {**THREADS, "threads": 2, "accesslog": str(tmp_path / "access")}
    server = spawn("threaded:app", settings=settings)
    (worker,) = server.workers()
    with enter(server) as one, enter(server) as two:
        (tmp_path / "access").rename(tmp_path / "old")
        os.kill(worker, signal.SIGUSR1)
        until((tmp_path / "access").exists, "a new file", show=server.log)
        gate(server).touch()
        through(one)
        through(two)
    until(lambda: (tmp_path / "access").read_text().count("/gate/") == 2, "two lines")
    assert (tmp_path / "old").read_text() == ""


def test_an_error_is_one_requests_own(spawn: Spawn) -> None:
    check_error(spawn, "error")


@pytest.mark.gunicorn_bug("the worker ends, without an answer, and with it all its requests")
@pytest.mark.parametrize("kind", ["exit", "keyboard", "generator", "base"])
def test_so_is_what_is_no_exception(spawn: Spawn, kind: str) -> None:
    check_error(spawn, kind)


def check_error(spawn: Spawn, kind: str) -> None:
    server = spawn("threaded:app", settings=THREADS)
    workers = server.workers()
    with enter(server) as wire:
        found = fetch(server, f"/raise/{kind}")
        assert found.status_line == "HTTP/1.1 500 Internal Server Error"
        server.wait_log(f"Error handling request GET /raise/{kind}")
        assert b"begun" in late(server, kind)
        server.wait_log("Error handling request\n")
        assert len(together(server, 3)) == 3
        gate(server).touch()
        assert through(wire)["pid"] == workers[0]
    assert server.log().count(": on purpose\n") == 2
    assert server.workers() == workers
    server.assert_clean_exit()


def late(server: Server, kind: str) -> bytes:
    with Wire(server.address) as wire:
        wire.send(get(f"/late/{kind}", "Connection: close"))
        return wire.read_to_close()
