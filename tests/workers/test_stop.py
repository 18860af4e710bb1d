"""Requests in flight when the server is told to stop or to reload: none is lost."""

from __future__ import annotations

import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.gate import enter, gate
from harness.mode import Mode
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, ask, get, post

CLIENTS = 4


def test_term_waits_for_the_request_in_the_app(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode)
    with enter(server) as wire:
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate(server).touch()
        assert wire.response().body == b"through the gate"
    assert server.wait_exit() == 0


def heeds_term(pid: int) -> bool:
    """Whether the process has a handler for TERM; before, one ends a worker that boots."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.gunicorn_bug("what waits in the backlog at TERM is reset", "sync")
def test_term_serves_a_connection_that_has_not_spoken_yet(spawn: Spawn, mode: Mode) -> None:
    """Connected before TERM, the request comes after it; many, for it is a matter of order."""
    server = spawn("kitchen:app", mode, settings={"workers": 2})
    # Before it boots, a worker may still have the master's handlers.
    server.wait_log("Booting worker with pid", 2)
    until(lambda: all(heeds_term(pid) for pid in server.workers()), "workers that heed TERM")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Wire(server.address)) for _ in range(40)]
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        for wire in silent:
            wire.send(get("/hello"))
        assert [wire.response().body for wire in silent] == [b"Hello, World!"] * 40
    assert server.wait_exit() == 0


def test_max_requests_under_load_loses_nothing(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, settings={"workers": 2, "max_requests": 20})

    def enough() -> bool:
        for _ in range(20):
            assert ask(server.address, get("/hello")).body == b"Hello, World!"
        return server.log().count("Autorestarting worker after current request.") >= 4

    until(enough, "workers to be replaced", show=server.log)
    server.assert_clean_exit()


def test_graceful_timeout_ends_what_takes_longer(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, settings={"graceful_timeout": 1})
    with enter(server) as wire:
        server.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        with contextlib.suppress(ConnectionResetError):
            assert b"through" not in wire.read_to_close()


@pytest.mark.only("gthread lets running requests end, as in Gunicorn: test_gthread.py", "sync")
def test_quit_does_not_wait(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode)
    with enter(server) as wire:
        server.send_signal(signal.SIGQUIT)
        assert server.wait_exit() == 0
        with contextlib.suppress(ConnectionResetError):
            assert b"through" not in wire.read_to_close()


@pytest.mark.ours("the application gets ahead of its reader")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_signals_reach_an_app_that_waits_for_a_reader(
    spawn: Spawn, mode: Mode, number: signal.Signals
) -> None:
    """The response is past every buffer, its reader reads nothing, and the stop is not delayed by
    more than `graceful_timeout`."""
    server = spawn("endless:app", mode, settings={"graceful_timeout": 2})
    with Wire(server.address) as wire:
        wire.send(get("/"))
        server.wait_log("nobody reads")
        server.send_signal(number)
        assert server.wait_exit() == 0
    if mode.worker == "sync":
        # Python runs signal handlers in the main thread: only there the application is inside one.
        assert ("was asked to leave" in server.log()) == (number == signal.SIGQUIT)


def test_hup_under_load_loses_nothing(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, settings={"workers": 2})
    reloaded = threading.Event()

    def use(i: int) -> int:
        for _ in range(5000):
            if reloaded.is_set():
                break
            assert ask(server.address, get("/hello")).body == b"Hello, World!"
            body = b"b" * (i + 1)
            assert ask(server.address, post("/echo", body)).body == body
        return i

    def reload(count: int) -> None:
        before = set(server.workers())
        server.send_signal(signal.SIGHUP)
        server.wait_log("Hang up: Master", count)
        until(
            lambda: len(now := set(server.workers())) == 2 and not before & now,
            "two new workers and no old one",
            show=server.log,
        )

    with ThreadPoolExecutor(CLIENTS) as pool:
        results = pool.map(use, range(CLIENTS))
        try:
            for count in (1, 2, 3):
                reload(count)
        finally:
            reloaded.set()
        assert list(results) == list(range(CLIENTS))
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("what waits in the backlog at TERM is reset")
def test_term_serves_what_has_connected(spawn: Spawn, mode: Mode) -> None:
    """Ten clients have sent their requests; one is in the app, the others wait."""
    server = spawn("kitchen:app", mode)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(enter(server))
        waiting = [stack.enter_context(Wire(server.address)) for _ in range(10)]
        for wire in waiting:
            wire.send(get("/hello"))
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate(server).touch()
        assert first.response().body == b"through the gate"
        assert [wire.response().body for wire in waiting] == [b"Hello, World!"] * 10
    assert server.wait_exit() == 0
