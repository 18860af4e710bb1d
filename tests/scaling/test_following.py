"""The number of workers follows the load: a real server, whose sense of time is made short."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.load import load
from harness.server import Server, Spawn, children
from harness.wait import until
from harness.wire import Response, ask, get

pytestmark = pytest.mark.ours("a number of workers that follows the load")

MIN, MAX = 1, 4
#: In the configuration file, which the master reads before anything else.
SHORT = """
from rgunicorn.autoscale import Autoscale
from rgunicorn.supervisor import Supervisor

Autoscale.INTERVAL, Autoscale.CALM = 0.1, 0.1
wait = Supervisor.wait_for_signals
Supervisor.wait_for_signals = lambda self, timeout=1.0: wait(self, min(timeout, 0.1))

def nworkers_changed(server, new, old):
    server.log.info("hook: from %s to %s", old, new)
"""


@pytest.fixture(scope="module", params=["sync", "gthread"])
def server(
    request: pytest.FixtureRequest, module_spawn: Spawn, tmp_path_factory: pytest.TempPathFactory
) -> Server:
    threads = {"sync": 1, "gthread": 2}[request.param]
    return module_spawn(
        "ledger:app",
        settings={
            "min_workers": MIN,
            "max_workers": MAX,
            "worker_class": request.param,
            "threads": threads,
        },
        config=SHORT,
        env={"LEDGER": str(tmp_path_factory.mktemp("ledger") / "ledger")},
    )


def threads(server: Server) -> int:
    return int(str(server.settings["threads"]))


class Crowd:
    """Clients, each with one request that lasts until the gate is opened."""

    def __init__(self, server: Server, gate: Path, size: int) -> None:
        self.gate = gate
        self.answers: list[Response] = []
        self.clients = [
            threading.Thread(target=self._ask, args=(server.address,)) for _ in range(size)
        ]
        for client in self.clients:
            client.start()

    def _ask(self, address: object) -> None:
        self.answers.append(ask(address, get(f"/gate{self.gate}", f"X-Id: {self.gate.name}")))  # type: ignore[arg-type]

    def leave(self) -> list[Response]:
        self.gate.touch()
        for client in self.clients:
            client.join()
        return self.answers


@contextmanager
def crowd(server: Server, gate: Path, size: int) -> Iterator[Crowd]:
    came = Crowd(server, gate, size)
    try:
        yield came
    finally:
        came.leave()


def grown(server: Server, number: int) -> None:
    until(lambda: len(server.workers()) == number, f"{number} workers", 60, server.log)


def changes(log: str) -> list[tuple[int, int]]:
    lines = [line.partition("] Scaling from ")[2] for line in log.splitlines()]
    said = [line.partition(" workers: ")[0].split(" to ") for line in lines if line]
    return [(int(old), int(new)) for old, new in said]


def test_load_raises_it_and_calm_lowers_it(server: Server, tmp_path: Path) -> None:
    grown(server, MIN)
    seen = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            seen.add(len(server.workers()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    size = MAX * threads(server) + 4
    with crowd(server, tmp_path / "gate", size) as came:
        grown(server, MAX)
        answers = came.leave()
    assert [answer.status for answer in answers] == [200] * size
    grown(server, MIN)
    stop.set()
    watcher.join()
    assert max(seen) == MAX
    log = server.log()
    steps = changes(log)
    # Up at once and in large steps, down one by one.
    assert steps[0][0] == MIN
    assert (MAX, MAX - 1) in steps
    assert steps[-1] == (MIN + 1, MIN)
    assert all(abs(new - old) == 1 for old, new in steps if new < old)
    assert all(f"hook: from {old} to {new}" in log for old, new in steps)
    assert " threads busy" in log
    assert " threads busy for " in log
    assert "SIGKILL" not in log and "was sent" not in log


def test_a_worker_in_a_request_stays(server: Server, tmp_path: Path) -> None:
    """The oldest, whose turn it would be."""
    grown(server, MIN)
    (oldest,) = server.workers()
    with crowd(server, tmp_path / "one", 1) as one:
        ledger = Path(server.env["LEDGER"])
        until(lambda: f"began one {oldest} " in ledger.read_text(), "the request to run")
        with crowd(server, tmp_path / "many", MAX * threads(server) - 1) as many:
            grown(server, MAX)
            many.leave()
        # One busy thread is too much for one worker, by what the other one is there for.
        grown(server, 2)
        (answer,) = one.leave()
    assert answer.status == 200
    assert answer.header("X-Worker") == str(oldest)
    grown(server, MIN)
    assert "SIGKILL" not in server.log()


def test_nothing_is_lost_meanwhile(server: Server, tmp_path: Path) -> None:
    """Clients at work while workers come and go: kept-alive connections with gthread."""
    grown(server, MIN)
    with load(server.address, clients=2) as clients:
        before = len(changes(server.log()))
        for turn in range(3):
            with crowd(server, tmp_path / f"gate{turn}", MAX * threads(server)) as came:
                until(lambda: len(server.workers()) > MIN + 1, "more workers", 60, server.log)
                assert [answer.status for answer in came.leave()] == [200] * len(came.clients)
            until(lambda: len(server.workers()) <= MIN + 1, "fewer workers", 60, server.log)
            clients.wait_answers(20)
    clients.assert_nothing_lost()
    assert len(changes(server.log())) >= before + 6


def test_signals_move_it_within_the_limits(server: Server) -> None:
    grown(server, MIN)
    said = server.log().count("Ignored: min_workers = 1")
    server.send_signal(signal.SIGTTOU)
    server.send_signal(signal.SIGTTIN)
    server.wait_log("hook: from 1 to 2")
    # One is the least there is, whatever the limits.
    assert server.log().count("Ignored: min_workers = 1") == said
    grown(server, MIN)


def test_a_reload_keeps_it(server: Server, tmp_path: Path) -> None:
    grown(server, MIN)
    with crowd(server, tmp_path / "gate", MAX * threads(server)):
        grown(server, MAX)
        server.send_signal(signal.SIGTTIN)
        server.wait_log("Ignored: max_workers = 4")
        seen = server.log().count(f"hook: from {MAX} to {MAX}")
        server.send_signal(signal.SIGHUP)
        server.wait_log(f"hook: from {MAX} to {MAX}", seen + 1)
        server.wait_log(f"Using {MIN} to {MAX} workers, {MAX} to begin with")
    grown(server, MIN)
    assert "Traceback" not in server.log()


def test_a_loop_in_python_counts_too(spawn: Spawn, tmp_path: Path) -> None:
    server = spawn(
        "ledger:app",
        settings={"min_workers": 1, "max_workers": 2},
        env={"LEDGER": str(tmp_path / "ledger")},
        config=SHORT
        + """
from gunicorn.workers.sync import SyncWorker

class worker_class(SyncWorker):
    def handle_request(self, listener, req, client, addr):
        return super().handle_request(listener, req, client, addr)
""",
    )
    with crowd(server, tmp_path / "gate", 2):
        grown(server, 2)
    assert "overrides handle_request" in server.log()


def test_auto_is_counted_at_each_load(spawn: Spawn) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    server = spawn("kitchen:app", settings={"workers": "auto"}, ready=False)
    server.wait_ready(1)
    log = server.wait_log(" (auto: affinity ")
    assert f" (auto: affinity {len(cpus)}, cgroup quota " in log
    os.sched_setaffinity(server.pid, cpus[:1])
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    server.wait_log("Using 1 worker (auto: affinity 1, cgroup quota ")
    until(
        lambda: len(now := children(server.pid)) == 1 and not set(now) & before,
        "one new worker",
        show=server.log,
    )
    assert ask(server.address, get("/hello")).status == 200
    assert "Reload failed" not in server.log()
