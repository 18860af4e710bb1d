"""The gevent workers on both servers: their life, what subclasses do, WebSockets and Socket.IO.

What the `gevent` worker says on the wire: `RGUNICORN_MODES=gevent` with `tests/wire`, see
test_gevent_wire.py.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.server import Command, Server, Spawn, spawner
from harness.wait import until
from harness.websocket import talk
from harness.wire import Response, Wire, exchange, get, post

APPS = Path(__file__).parent / "gevent_apps"
ENV = {"PYTHONPATH": str(APPS)}
WEBSOCKET_WORKER = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test."""
    with spawner(tmp_path, beside_others) as started:
        yield started


@pytest.fixture
def right(beside_others: Command, request: pytest.FixtureRequest) -> None:
    """For what is wrong in Gunicorn."""
    if beside_others.is_gunicorn:
        pytest.skip("wrong in Gunicorn 27.0.1")


def start(spawn: Spawn, app: str = "green:app", worker: str = "gevent", **more: Any) -> Server:
    env = ENV | more.pop("env", {})
    settings = {"worker_class": worker, "accesslog": "-", "keepalive": 20} | more
    return spawn(app, settings=settings, env=env)


def ask(server: Server, raw: bytes) -> Response:
    """One request on a connection of its own, which the client ends."""
    with Wire(server.address) as wire:
        return wire.send(raw).response()


def who(server: Server) -> dict[str, Any]:
    answer = ask(server, get("/who"))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("worker", ["gevent", "green.Patching", "gevent_pywsgi"])
def test_its_life(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    server = start(spawn, worker=worker, max_requests=40)
    first = who(server)
    assert first["sleep"].startswith("gevent")
    assert first["wsgi.multithread"] is True
    until(lambda: server.log().count('"GET /who HTTP/1.1" 200') == 1, "its line", show=server.log)
    with Wire(server.address) as wire:
        # The connection is kept, and a body that nobody reads is not the next request.
        for raw in (get("/who"), post("/none", b"GET /boom HTTP/1.1\r\n\r\n"), get("/who")):
            wire.send(raw)
            assert wire.response().status in (200, 404)
    assert ask(server, get("/boom")).status == 500
    server.wait_log("out of luck")

    server.send_signal(signal.SIGHUP)
    until(lambda: who(server)["pid"] != first["pid"], "a new worker", show=server.log)
    until(lambda: first["pid"] not in server.workers(), "the old one to leave", show=server.log)
    if worker != "gevent_pywsgi":
        # gevent's own server does not count.
        second = who(server)["pid"]
        until(lambda: who(server)["pid"] != second, "one beyond max_requests", show=server.log)
        server.wait_log("Autorestarting worker after current request.")

    gate = tmp_path / "gate"
    wires = [Wire(server.address).send(get(f"/gate?{gate}")) for _ in range(5)]
    # All at once in one worker.
    server.wait_log("in the gate", 5)
    server.send_signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    gate.touch()
    assert [wire.response().body for wire in wires] == [b"through"] * 5
    for wire in wires:
        wire.close()
    assert server.wait_exit() == 0
    assert "graceful timeout" not in server.log()


def test_what_subclasses_add(spawn: Spawn) -> None:
    config = (
        "def pre_request(worker, req): req.headers.append(('X-HOOK', req.method))\n"
        "def post_request(worker, req, environ, resp): worker.log.info('post %s', resp.status)"
    )
    server = spawn("green:app", settings={"worker_class": "green.Adding"}, config=config, env=ENV)
    seen = who(server)
    assert seen["HTTP_X_ADDED"] == f"{server.address[1]} 127.0.0.1"
    assert seen["HTTP_X_HOOK"] == "GET"
    server.wait_log("post 200 OK")
    # The access line comes before it, and close() too.
    assert server.log().index("closed") < server.log().index("post 200 OK")


def test_an_application_that_has_answered_itself(spawn: Spawn) -> None:
    server = start(spawn, keepalive=1)
    assert exchange(server.address, get("/own")) == b"all mine"
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("keepalive", [1, 0])
def test_a_stalled_head_ends(spawn: Spawn, beside_others: Command, keepalive: int) -> None:
    if beside_others.is_gunicorn and not keepalive:
        pytest.skip("Gunicorn has no limit without keepalive")
    own = {} if beside_others.is_gunicorn else {"client_header_timeout": 1}
    server = start(spawn, keepalive=keepalive, **own)
    with Wire(server.address) as wire:
        assert wire.send(b"GET / HTTP/1.1\r\nHos").read_to_close() == b""
    with Wire(server.address) as wire:
        closes = wire.send(get("/who")).response().header("Connection") == "close"
        assert closes is not bool(keepalive)
        assert wire.read_to_close() == b""


@pytest.mark.usefixtures("right")
def test_a_signal_while_it_patches_is_not_lost(spawn: Spawn, tmp_path: Path) -> None:
    """Gunicorn's worker has the master's handlers until then, and takes all of graceful_timeout."""
    server = start(
        spawn,
        worker="green.Patching",
        env={"PATCH_GATE": str(tmp_path / "never")},
        graceful_timeout=600,
    )
    server.wait_log("in patch")
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit(30) == 0


@pytest.mark.usefixtures("right")
def test_idle_connections_do_not_hold_up_the_end(spawn: Spawn) -> None:
    """Gunicorn waits for them as long as `keepalive`, or graceful_timeout."""
    server = start(spawn, keepalive=600, graceful_timeout=600)
    with Wire(server.address) as idle, Wire(server.address) as fresh:
        assert idle.send(get("/who")).response().status == 200
        fresh.send(b"GET")
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        # It was promised another request.
        answer = idle.send(get("/who")).response()
        assert (answer.status, answer.header("Connection")) == (200, "close")
        fresh.send(b" /who HTTP/1.1\r\n\r\n").response()
        assert server.wait_exit(30) == 0


def test_quick_stop(spawn: Spawn, tmp_path: Path) -> None:
    server = start(spawn, graceful_timeout=600)
    with Wire(server.address) as wire:
        wire.send(get(f"/gate?{tmp_path / 'never'}"))
        server.wait_log("in the gate")
        server.send_signal(signal.SIGQUIT)
        assert server.wait_exit(30) == 0


@pytest.mark.parametrize("end", [signal.SIGQUIT, signal.SIGABRT], ids=lambda sig: sig.name)
def test_signals_of_a_worker(spawn: Spawn, end: signal.Signals) -> None:
    server = start(spawn)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGUSR1)
    assert who(server)["pid"] == worker
    os.kill(worker, end)
    server.wait_log("Booting worker", 2)
    until(lambda: worker not in server.workers(), "it to leave", show=server.log)
    assert who(server)["pid"] != worker


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize("end", [signal.SIGQUIT, signal.SIGABRT], ids=lambda sig: sig.name)
def test_a_log_that_stays_locked_does_not_hold_up_the_end(
    spawn: Spawn, end: signal.Signals
) -> None:
    """SystemExit out of a signal handler can leave a log handler's lock to a greenlet that ends.
    Gunicorn's worker then hangs until its heartbeat has been missed for `timeout`."""
    server = start(spawn, timeout=600, graceful_timeout=600)
    (worker,) = server.workers()
    with Wire(server.address) as wire:
        wire.send(get(f"/lock?{end.value}"))
        server.wait_log("Booting worker", 2)
    until(lambda: worker not in server.workers(), "it to leave", show=server.log)
    assert f"Worker exiting (pid: {worker})" in server.log()
    assert who(server)["pid"] != worker


def test_gevents_own_server(spawn: Spawn) -> None:
    server = start(spawn, worker="gevent_wsgi")
    seen = who(server)
    assert seen["SERVER_SOFTWARE"].startswith("gevent/")
    assert " gunicorn/27.0.1" in seen["SERVER_SOFTWARE"]
    assert (seen["socks"], seen["RAW_URI"]) == (["gunicorn.sock"], "/who")


def test_flask_sock(spawn: Spawn) -> None:
    server = start(spawn, "sockets:flask_sock()")
    assert talk(server, "/ws", "hello", "you") == ["5: hello", "3: you"]
    assert "Traceback" not in server.log()


def test_gevent_websockets_worker(spawn: Spawn) -> None:
    server = start(spawn, "sockets:gevent_websocket", worker=WEBSOCKET_WORKER)
    assert ask(server, get("/")).body == b"no socket"
    assert talk(server, "/any", "hello", "you") == ["5: hello", "3: you"]


@pytest.mark.parametrize("worker", ["gevent", WEBSOCKET_WORKER, "gthread"])
def test_flask_socketio(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    """engine.io uses gevent-websocket whenever it can be imported, which needs its worker."""
    env = {"ASYNC_MODE": "threading" if worker == "gthread" else "gevent"}
    if worker == "gevent":
        (tmp_path / "geventwebsocket.py").write_text("raise ImportError('not here')")
        env["PYTHONPATH"] = f"{APPS}:{tmp_path}"
    server = start(spawn, "sockets:socketio()", worker=worker, threads=4, env=env)
    polled = ask(server, get("/socket.io/?EIO=4&transport=polling"))
    assert polled.status == 200
    assert polled.body.startswith(b'0{"sid":')
    # Each answer belongs to the message before: the server begins.
    opened, joined, said = talk(
        server, "/socket.io/?EIO=4&transport=websocket", "40", '42["say","a"]', '42["say","b"]'
    )
    assert str(opened).startswith('0{"sid":')
    assert str(joined).startswith('40{"sid":')
    assert said == '42["said","A"]'
    server.assert_clean_exit()
