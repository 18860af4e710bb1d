"""What worker classes with a loop of their own count, and what they say nothing about."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.board import Board, Total
from harness.server import Server, Spawn, spawner, thirdparty
from harness.wire import Wire, get

HERE = Path(__file__).parent
ENV = {"PYTHONPATH": f"{HERE / 'async_apps'}:{HERE.parent / 'apps'}"}
OURS = {
    "gevent": "counted:app",
    "gevent_pywsgi": "counted:app",
    "tornado": "counted:app",
    "asgi": "counted_asgi:app",
}


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test."""
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


def ask(server: Server, path: str, times: int) -> None:
    """So many requests, each on a connection of its own."""
    for _ in range(times):
        with Wire(server.address) as wire:
            wire.send(get(path, "Connection: close")).read_to_close()


def complete(board: Board, requests: int) -> Total:
    """What all have counted, when that is so many requests and their times."""

    def is_complete(snapshot: Any) -> bool:
        total = Total.of(snapshot)
        return total.requests == total.times.get("whole") == requests

    return Total.of(board.wait(f"{requests} requests", is_complete))


@pytest.mark.parametrize("worker", OURS)
def test_each_request_is_counted_once(spawn: Spawn, worker: str) -> None:
    settings = {"worker_class": worker, "workers": 2, "keepalive": 20}
    server = spawn(OURS[worker], settings=settings, env=ENV)
    board = Board(server.pid)
    with Wire(server.address) as wire:
        for _ in range(10):
            assert wire.send(get("/")).response().body == b"ok"
    ask(server, "/", 5)
    ask(server, "/404", 3)
    server.send_signal(signal.SIGHUP)
    board.wait("the reload", lambda it: it["ends"]["reload"] == 2)
    ask(server, "/", 2)
    # Tornado answers nothing to those whose WSGI application raises.
    failing = 0 if worker == "tornado" else 4
    ask(server, "/boom", failing)
    total = complete(board, 20 + failing)
    assert total.responses == {"1xx": 0, "2xx": 17, "3xx": 0, "4xx": 3, "5xx": failing}
    if worker == "gevent":
        assert total.events == {"exception": 4, "refused": 0}
        with Wire(server.address) as wire:
            assert b" 400 " in wire.send(b"GARBAGE\r\n\r\n").read_to_close()
        total = complete(board, 25)
        assert total.events == {"exception": 4, "refused": 1}
    # What nobody can know is not there, rather than 0.
    told = [set(it) for it in board.snapshot()["workers"]]
    assert not any({"bytes_in", "bytes_out", "connections", "queued"} & keys for keys in told)
    assert "queue" not in total.times and "write" not in total.times
    assert ("room" in told[0]) is (worker in ("gevent", "gevent_pywsgi"))


def test_a_request_that_dies_with_its_greenlet(spawn: Spawn) -> None:
    settings = {"worker_class": "gevent", "accesslog": "-"}
    server = spawn("ledger:app", settings=settings, env=ENV | {"LEDGER": "ledger"})
    board = Board(server.pid)
    with Wire(server.address) as wire:
        wire.send(get("/nap/30"))
        board.wait("it to run", lambda it: it["workers"][0].get("running") == 1)
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log('"GET /nap/30 HTTP/1.1" 500')
    assert complete(board, 1).responses["5xx"] == 1


def test_websockets_are_requests(spawn: Spawn) -> None:
    server = spawn("counted_asgi:app", settings={"worker_class": "asgi"}, env=ENV)
    board = Board(server.pid)
    for path in ("/", "/refused"):
        with Wire(server.address) as wire:
            fields = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
            wire.send(get(path, *fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
            wire.read_until(b"\r\n\r\n")
    total = complete(board, 2)
    assert (total.responses["1xx"], total.responses["4xx"]) == (1, 1)


def test_a_class_of_others_says_nothing(spawn: Spawn) -> None:
    settings = {"worker_class": "uvicorn_worker.UvicornWorker"}
    server = spawn("counted_asgi:app", settings=settings, env=ENV)
    board = Board(server.pid)
    ask(server, "/", 1)
    snapshot = board.wait("a heartbeat", lambda it: "heartbeat_ns" in it["workers"][0])
    worker = snapshot["workers"][0]
    assert (worker["pid"], worker["alive"]) == (server.workers()[0], True)
    silent = {"requests", "responses", "bytes_in", "connections", "running", "room"}
    assert not silent & set(worker)
    assert worker["events"] == worker["histograms"] == {}
