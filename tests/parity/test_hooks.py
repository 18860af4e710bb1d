"""All hooks but `ssl_context`: their order and what they are given, in the life of both servers."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.compare import same
from harness.pages import SERVER_ERROR
from harness.proc import is_at_rest
from harness.server import TESTS, Server, children
from harness.wait import until
from harness.wire import exchange, get
from parity import normal

if TYPE_CHECKING:
    from parity.conftest import MakePair, Pair

pytestmark = pytest.mark.only("no hook depends on the transport", "tcp")

CONFIG = (TESTS / "parity/hooks.conf.py").read_text()


def lines(server: Server) -> list[str]:
    path = server.directory / "hooks.log"
    return path.read_text().splitlines() if path.exists() else []


def wait_hook(server: Server, role: str, hook: str, count: int = 1) -> None:
    until(
        lambda: sum(line.startswith(f"{role}|{hook}|") for line in lines(server)) >= count,
        f"{count} × {hook} of {role}: {lines(server)}",
        show=server.log,
    )


def by_role(server: Server) -> dict[str, list[str]]:
    """Lines of each process in their order; between processes there is none."""
    found: dict[str, list[str]] = {}
    for line in lines(server):
        role, _, facts = line.partition("|")
        found.setdefault(role, []).append(normal.text(facts, str(server.directory)))
    return {role: ends_in_any_order(said) for role, said in found.items()}


def ends_in_any_order(said: list[str]) -> list[str]:
    """Workers told to stop together end as they like: neighbouring child_exit lines are sorted."""
    groups = itertools.groupby(said, lambda line: line.startswith("child_exit|"))
    return [line for ends, run in groups for line in (sorted(run) if ends else run)]


def assert_same_hooks(pair: Pair, ordered: bool = True) -> None:
    same_by_role = [by_role(server) for server in pair]
    if not ordered:
        for found in same_by_role:
            found.update({role: sorted(lines) for role, lines in found.items()})
    assert same_by_role[0], "no hook ran at all"
    same(
        [f"{role}: {line}" for role, found in sorted(same_by_role[1].items()) for line in found],
        [f"{role}: {line}" for role, found in sorted(same_by_role[0].items()) for line in found],
        "hooks of rgunicorn (actual) and Gunicorn (expected)",
    )


def start(pair: MakePair, workers: int = 1, **fields: object) -> Pair:
    made = pair("kitchen:app", settings={"workers": workers}, config=CONFIG, **fields)
    for server in made:
        for age in range(1, workers + 1):
            wait_hook(server, str(age), "post_worker_init")
    return made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("workers", [1, 2])
def test_life(pair: MakePair, number: signal.Signals, workers: int) -> None:
    made = start(pair, workers)
    for server in made:
        server.assert_clean_exit(number)
    assert_same_hooks(made)


def test_requests(pair: MakePair) -> None:
    made = start(pair)
    requests = (
        get("/hello?q=1", "X-Some: header", "x-some: again"),
        get("/stream"),
        get("/hello", method="HEAD"),
        get("/raise"),
        get("/raise-late"),
        get("/hello"),
    )
    for server in made:
        for count, raw in enumerate(requests, start=1):
            exchange(server.address, raw)
            # Gunicorn's thread hangs up before its post_request runs: the next request waits.
            wait_hook(server, "1", "post_request", count)
        exchange(server.address, b"GARBAGE\r\n\r\n")
        server.assert_clean_exit()
    assert_same_hooks(made)


def test_preload(pair: MakePair) -> None:
    made = pair("kitchen:app", settings={"preload_app": True}, config=CONFIG)
    for server in made:
        wait_hook(server, "1", "post_worker_init")
        server.assert_clean_exit()
    assert_same_hooks(made)


def test_more_and_fewer_workers(pair: MakePair) -> None:
    made = start(pair)
    for server in made:
        server.send_signal(signal.SIGTTIN)
        wait_hook(server, "2", "post_worker_init")
        server.send_signal(signal.SIGTTOU)
        wait_hook(server, "master", "child_exit")
        server.assert_clean_exit()
    assert_same_hooks(made)


def test_reload(pair: MakePair) -> None:
    made = start(pair)
    for server in made:
        server.send_signal(signal.SIGHUP)
        wait_hook(server, "2", "post_worker_init")
        wait_hook(server, "master", "child_exit")
        exchange(server.address, get("/hello"))
        server.assert_clean_exit()
    assert_same_hooks(made)


def test_max_requests(pair: MakePair) -> None:
    made = pair("kitchen:app", settings={"workers": 1, "max_requests": 2}, config=CONFIG)
    for server in made:
        wait_hook(server, "1", "post_worker_init")
        for _ in range(2):
            exchange(server.address, get("/hello"))
        wait_hook(server, "2", "post_worker_init")
        server.assert_clean_exit()
        assert "Autorestarting worker after current request." in server.log()
    # Gunicorn's successor is forked after the end, ours before.
    assert_same_hooks(made, ordered=False)


@pytest.mark.only("in gthread no request is too long for `timeout`", "sync")
def test_timeout(pair: MakePair) -> None:
    made = pair("kitchen:app", settings={"workers": 1, "timeout": 1}, config=CONFIG)
    for server in made:
        wait_hook(server, "1", "post_worker_init")
        with contextlib.suppress(ConnectionResetError):
            exchange(server.address, get("/sleep"))
        wait_hook(server, "1", "worker_abort")
        wait_hook(server, "2", "post_worker_init")
        server.assert_clean_exit()
        assert "[CRITICAL] WORKER TIMEOUT (pid:" in server.log()
    assert_same_hooks(made)


def test_upgrade(pair: MakePair) -> None:
    """USR2: `pre_exec` in the child, then the new master's own hooks; TERM to the new one."""
    made = start(pair)
    for server in made:
        (worker,) = server.workers()
        server.send_signal(signal.SIGUSR2)
        wait_hook(server, "master", "pre_exec")
        wait_hook(server, "1", "post_worker_init", 2)
        (new,) = [pid for pid in children(server.pid) if pid != worker]
        os.kill(new, signal.SIGTERM)
        until(lambda new=new: not Path(f"/proc/{new}").exists(), "the new master to end")
        server.assert_clean_exit()
    assert_same_hooks(made)


RAISING = {
    "on_starting": 1,
    "when_ready": 1,
    "pre_fork": 255,
    "post_fork": 3,
    "post_worker_init": 3,
}


@pytest.mark.parametrize("hook", RAISING)
def test_raising_at_boot(pair: MakePair, hook: str) -> None:
    made = pair("kitchen:app", config=CONFIG, env={"RAISE": hook}, ready=False)
    assert [server.wait_exit() for server in made] == [RAISING[hook]] * 2
    assert_same_hooks(made)
    logs = [normal.sorted_log(server.log(), str(server.directory)) for server in made]
    same(logs[1], logs[0], "logs")


@pytest.mark.parametrize("hook", ["pre_request", "post_request", "worker_exit", "worker_int"])
def test_raising_later(pair: MakePair, hook: str) -> None:
    made = start(pair, env={"RAISE": hook})
    answers = []
    for server in made:
        answers.append(exchange(server.address, get("/hello")))
        wait_hook(server, "1", "post_request" if hook != "pre_request" else "pre_request")
        (worker,) = server.workers()
        # Gunicorn's thread is still inside of a try that lets nothing through, with the connection.
        until(lambda pid=worker: is_at_rest(pid), "the worker to be done with it")
        server.send_signal(signal.SIGINT if hook == "worker_int" else signal.SIGTERM)
        assert server.wait_exit() == 0
    assert (answers[0] == SERVER_ERROR) is (hook == "pre_request")
    assert (answers[1] == SERVER_ERROR) is (hook == "pre_request")
    assert_same_hooks(made)
    logs = [normal.sorted_log(server.log(), str(server.directory)) for server in made]
    same(logs[1], logs[0], "logs")
