"""What the workers count: each request once, whatever becomes of it and of its worker."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import kinds
from harness.board import Board, Total
from harness.kinds import Kind
from harness.mode import DEFAULT, Mode
from harness.server import Server, Spawn
from harness.traffic import traffic
from harness.wait import until
from harness.wire import Wire, get, post

pytestmark = pytest.mark.ours("Gunicorn does not count")

MODES = [DEFAULT, Mode("gthread"), Mode("sync", "unix"), Mode("gthread", "tls")]


@pytest.fixture(scope="module", params=MODES, ids=str)
def counted(
    request: pytest.FixtureRequest, module_spawn: Spawn, big_file: Path
) -> tuple[Server, Board]:
    """A server of one worker, in one of the modes."""
    server = module_spawn("kitchen:app", request.param, env={"FILE": str(big_file)})
    return server, Board(server.pid)


@contextmanager
def counting(board: Board, requests: int, timed: int | None = None) -> Iterator[Total]:
    """Yields what is filled in afterwards: what the block has added, which is so many requests."""
    before, added = board.total(), Total()
    yield added
    timed = requests if timed is None else timed

    def is_over(snapshot: Any) -> bool:
        now = Total.of(snapshot).since(before)
        # Traffic is told when a request is over, or its connection waits or ends.
        return now.requests == requests and now.times.get("whole", 0) == timed

    last = board.wait(f"{requests} requests, {timed} of them over", is_over)
    vars(added).update(vars(Total.of(last).since(before)))


ORDINARY = {
    "hello": (get("/hello"), "GET", "2xx", {}),
    "HEAD": (get("/hello", method="HEAD"), "HEAD", "2xx", {}),
    "echo": (post("/echo", b"x" * 70_000), "POST", "2xx", {}),
    "chunked": (get("/stream"), "GET", "2xx", {}),
    "large": (get("/bytes?n=3000000"), "GET", "2xx", {}),
    "sendfile": (get("/file"), "GET", "2xx", {}),
    "204": (get("/status?s=204+No+Content"), "GET", "2xx", {}),
    "304": (get("/status?s=304+Not+Modified"), "GET", "3xx", {}),
    "404": (get("/status?s=404+Not+Found"), "GET", "4xx", {}),
    "raises": (get("/raise"), "GET", "5xx", {"exception": 1}),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_answer_is_counted_before_it_is_complete(
    counted: tuple[Server, Board], name: str
) -> None:
    server, board = counted
    raw, method, status, events = ORDINARY[name]
    before = board.total()
    with counting(board, 1) as added, Wire(server.address) as wire:
        response = wire.send(raw).response(method)
        # Whoever has the whole answer finds it counted.
        assert board.total().since(before).requests == 1
        if server.mode.worker == "sync" or response.header("Connection") == "close":
            wire.read_to_close()
    assert added.responses == {status: 1}
    assert {name: n for name, n in added.events.items() if name != "accepted"} == events
    assert added.times["queue"] == added.times["app"] == added.times["write"] == 1
    # HTTP's own bytes, also where they are encrypted.
    assert (added.bytes_in, added.bytes_out) == (len(raw), len(wire.received))


REFUSED = {
    "no HTTP": b"GARBAGE\r\n\r\n",
    "a bad chunk": post("/echo", b"", "Transfer-Encoding: chunked") + b"zz\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_is_not_understood(counted: tuple[Server, Board], name: str) -> None:
    server, board = counted
    with counting(board, 1) as added, Wire(server.address) as wire:
        assert wire.send(REFUSED[name]).read_to_close().startswith(b"HTTP/1.1 400 ")
    assert added.responses == {"4xx": 1}
    assert added.events["refused"] == 1
    # The application has not heard of it.
    assert not {"queue", "app"} & set(added.times)


def test_a_response_that_breaks_off(counted: tuple[Server, Board]) -> None:
    server, board = counted
    with counting(board, 1) as added, Wire(server.address) as wire:
        wire.send(get("/raise-late")).read_to_close()
    # As the access log has it.
    assert added.responses == {"2xx": 1}
    assert added.events["exception"] == 1


def test_who_says_nothing_is_no_request(counted: tuple[Server, Board]) -> None:
    server, board = counted
    with counting(board, 1) as added:
        with Wire(server.address):
            pass
        with Wire(server.address) as wire:
            wire.send(get("/hello")[:10])
        with Wire(server.address) as wire:
            wire.send(get("/hello", "Connection: close")).read_to_close()
        until(lambda: board.total().events["accepted"] >= 3, "all of them to be let in")
    assert added.responses == {"2xx": 1}


def test_who_takes_the_socket_is_counted_once(spawn: Spawn) -> None:
    server = spawn("compat:speaks_for_itself")
    board = Board(server.pid)
    with counting(board, 1) as added, Wire(server.address) as wire:
        raw = get("/taken", "Connection: Upgrade", "Upgrade: own")
        assert b"mine alone" in wire.send(raw).read_to_close()
    # What was said there, only the application knows.
    assert added.responses == {"1xx": 1}


@pytest.mark.parametrize("kind", (*kinds.ALL,), ids=str)
def test_sums_are_exact_while_workers_come_and_go(spawn: Spawn, kind: Kind) -> None:
    settings = {**kind.settings, "workers": 2, "max_requests": 120, "max_requests_jitter": 40}
    server = spawn("ledger:app", settings=settings, env={"LEDGER": "ledger"})
    board = Board(server.pid)
    manners = ("closing", "kept", "uploading", "napping")
    with traffic(server.address, manners) as clients:
        clients.wait_answers(60)
        server.send_signal(signal.SIGHUP)
        clients.wait_answers(60)
        server.send_signal(signal.SIGTTIN)
        server.wait_log("Handling signal: ttin")
        clients.wait_answers(60)
        server.send_signal(signal.SIGTTOU)
        server.wait_log("Handling signal: ttou")
        clients.wait_answers(60)
        board.wait("a worker that has had enough", lambda it: it["ends"]["max_requests"] > 0, 60)
    clients.assert_nothing_failed()
    answered = clients.answered
    # Nobody asks anything now: with it go its counters' owner and nothing else.
    until(lambda: len(server.workers()) == 2, "two workers", show=server.log)
    os.kill(server.workers()[0], signal.SIGKILL)
    board.wait("its end", lambda it: it["ends"]["signal"] == 1)
    with traffic(server.address, manners) as clients:
        clients.wait_answers(60)
    clients.assert_nothing_failed()
    answered += clients.answered

    def is_complete(snapshot: Any) -> bool:
        total = Total.of(snapshot)
        return total.requests == total.times["whole"] == answered

    total = Total.of(board.wait(f"{answered} requests", is_complete))
    assert total.responses == {"1xx": 0, "2xx": answered, "3xx": 0, "4xx": 0, "5xx": 0}
    assert not total.events["exception"] and not total.events["refused"]

    def adds_up(snapshot: Any) -> bool:
        alive = sum(worker["alive"] for worker in snapshot["workers"])
        facts = snapshot["server"]
        return facts["spawns"] == facts["boots"] == sum(snapshot["ends"].values()) + alive

    last = board.wait("each worker to have begun and ended once", adds_up)
    ends = {reason for reason, n in last["ends"].items() if n}
    assert {"reload", "surplus", "signal", "max_requests"} <= ends
    assert ends <= {"reload", "surplus", "signal", "max_requests"}
    assert (last["server"]["pid"], last["server"]["reloads"]) == (server.pid, 1)
    # All that a worker has counted itself is less than what its slot has.
    assert all(worker["own_requests"] <= worker["requests"] for worker in last["workers"])


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_a_request_past_its_deadline(spawn: Spawn, worker: str) -> None:
    settings = {"request_timeout": 0.5, "accesslog": "-"}
    server = spawn("ledger:app", Mode(worker), settings=settings, env={"LEDGER": "ledger"})
    board = Board(server.pid)
    with counting(board, 1) as added, Wire(server.address) as wire:
        assert b" 504 " in wire.send(get("/nap/2")).read_to_close()
    assert added.responses == {"5xx": 1}
    assert added.events["overdue"] == 1
    # Its thread comes back, and counts nothing more.
    board.wait("the worker's end", lambda it: it["ends"]["deadline"] == 1)
    assert board.total().requests == 1
    assert server.log().count('"GET /nap/2 HTTP/1.1" 504') == 1


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_a_request_that_dies_with_its_worker(spawn: Spawn, worker: str) -> None:
    server = spawn(
        "ledger:app", Mode(worker), settings={"accesslog": "-"}, env={"LEDGER": "ledger"}
    )
    board = Board(server.pid)
    with counting(board, 1) as added, Wire(server.address) as wire:
        wire.send(get("/nap/30", "X-Id: lost"))
        board.wait("it to run", lambda it: it["workers"][0].get("running") == 1)
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log('"GET /nap/30 HTTP/1.1" 500')
    assert added.responses == {"5xx": 1}


def test_who_is_turned_away_and_who_leaves(spawn: Spawn) -> None:
    settings = {"worker_class": "gthread", "threads": 1, "max_queue": 1}
    server = spawn("ledger:app", settings=settings, env={"LEDGER": "ledger"})
    board = Board(server.pid)
    gate = server.directory / "gate"

    def waits(snapshot: Any) -> bool:
        # It may wait where siblings could take it, too.
        queued: int = snapshot["workers"][0].get("queued", 0)
        return queued + snapshot["in_transit"] == 1

    with counting(board, 3) as added, Wire(server.address) as inside:
        inside.send(get(f"/gate{gate}", "X-Id: inside", "Connection: close"))
        board.wait("the thread to be busy", lambda it: it["workers"][0].get("running") == 1)
        leaving = Wire(server.address).send(get("/hello"))
        board.wait("somebody to wait", waits)
        with Wire(server.address) as refused:
            assert refused.send(get("/hello")).response().status == 503
            refused.read_to_close()
        # Who has not waited is not asked whether he is still there.
        time.sleep(0.1)
        # A reset.
        leaving.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaving.close()
        gate.touch()
        assert inside.response().body == b"gate"
        inside.read_to_close()
    assert added.responses == {"2xx": 1, "4xx": 1, "5xx": 1}
    assert added.events["shed"] == 1 and "refused" not in added.events


def test_gauges_show_what_connections_are_at(spawn: Spawn) -> None:
    settings = {"worker_class": "gthread", "threads": 2, "keepalive": kinds.KEEPALIVE}
    server = spawn("ledger:app", settings=settings, env={"LEDGER": "ledger"})
    board = Board(server.pid)
    gate = server.directory / "gate"
    with (
        Wire(server.address) as idle,
        Wire(server.address) as reading,
        Wire(server.address) as running,
        Wire(server.address, receive_buffer=4096) as writing,
    ):
        idle.send(get("/hello")).response()
        reading.send(get("/hello")[:10])
        writing.send(get("/bytes?n=20000000"))
        running.send(get(f"/gate{gate}"))
        expected = {"reading": 1, "waiting": 0, "running": 1, "writing": 1, "idle": 1}

        def shows(snapshot: Any) -> bool:
            worker = snapshot["workers"][0]
            return worker.get("connections") == expected and worker["running"] == 1

        worker = board.wait("one of each", shows)["workers"][0]
        assert (worker["room"], worker["queued"]) == (2, 0)
        gate.touch()
        running.response()
    board.wait("nobody", lambda it: not any(it["workers"][0]["connections"].values()))


def test_children_of_the_application_count_nothing(spawn: Spawn, tmp_path: Path) -> None:
    """One may come back from the application, and end its parent's request in a copy."""
    (tmp_path / "forks.py").write_text(
        "import os\n"
        "WORKERS = []\n"
        "def app(environ, start_response):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        slot = WORKERS[0].tmp.slot\n"
        "        slot.count_request(200, 1)\n"
        "        slot.count_event('exception', 7)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    start_response('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    hook = "def post_worker_init(worker):\n    import forks\n\n    forks.WORKERS.append(worker)\n"
    server = spawn("forks:app", args=["--pythonpath", str(tmp_path)], config=hook)
    board = Board(server.pid)
    for _ in range(3):
        with counting(board, 1) as added, Wire(server.address) as wire:
            assert wire.send(get("/")).read_to_close().endswith(b"ok")
        assert "exception" not in added.events
    assert board.total().requests == 3


def test_a_changed_worker_tmp_dir_waits_for_the_next_start(spawn: Spawn, tmp_path: Path) -> None:
    server = spawn("kitchen:app")
    board = Board(server.pid)
    with Wire(server.address) as wire:
        wire.send(get("/hello")).read_to_close()
    config = server.directory / "gunicorn.conf.py"
    config.write_text(f"{config.read_text()}\nworker_tmp_dir = {str(tmp_path)!r}\n")
    server.send_signal(signal.SIGHUP)
    server.wait_log("counts from the next start on")
    board.wait("the new worker", lambda it: it["ends"]["reload"] == 1)
    with Wire(server.address) as wire:
        wire.send(get("/hello")).read_to_close()
    assert board.total().requests == 2
