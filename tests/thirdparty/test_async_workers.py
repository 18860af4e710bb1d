"""Worker classes with an event loop, ours and those of others, each with its framework.

The same life for all: requests, a WebSocket, HUP, `max_requests`, a stop that lets a request end.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import certificates
from harness.server import Command, Server, Spawn, spawner, thirdparty
from harness.wait import until
from harness.websocket import talk
from harness.wire import Closed, Response, Wire, get, post

APPS = Path(__file__).parent / "async_apps"
ENV = {"PYTHONPATH": str(APPS)}

UVICORN = "uvicorn_worker.UvicornWorker"
AIOHTTP = "aiohttp.GunicornWebWorker"

WORKERS = {
    "uvicorn_worker": (UVICORN, "fast:app"),
    "asgi": ("asgi", "fast:app"),
    "aiohttp": (AIOHTTP, "aio:app"),
    "tornado": ("tornado", "torn:app"),
}

# Further spellings and applications: one look at each, over TLS.
SPELLINGS = {
    "h11": ("uvicorn_worker.UvicornH11Worker", "star:app"),
    # Deprecated, and in every tutorial.
    "uvicorn.workers": ("uvicorn.workers.UvicornWorker", "star:app"),
    "aiohttp.worker": ("aiohttp.worker.GunicornWebWorker", "aio:factory"),
    "gtornado": ("gunicorn.workers.gtornado.TornadoWorker", "torn:app"),
    "uvloop": ("aiohttp.GunicornUVLoopWebWorker", "aio:app"),
    "gasgi": ("gunicorn.workers.gasgi.ASGIWorker", "star:app"),
}


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test."""
    with spawner(tmp_path, beside_others) as started:
        yield started


@pytest.fixture
def ours_spawn(tmp_path: Path) -> Iterator[Spawn]:
    """The same for rgunicorn alone, where Gunicorn has nothing to say."""
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


def ask(server: Server, raw: bytes) -> Response:
    """One request on a connection of its own, which the client ends."""
    with Wire(server.address) as wire:
        return wire.send(raw).response()


def who(server: Server, *fields: str) -> dict[str, Any]:
    answer = ask(server, get("/who", *fields))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def another(server: Server, pid: int) -> bool:
    """Whether somebody else answers. A worker that leaves may lose a connection that it has just
    taken: that is between its library and asyncio, and the same under both servers."""
    try:
        with Wire(server.address, timeout=3) as wire:
            answer = wire.send(get("/who")).response()
    except (OSError, Closed):
        return False
    return bool(json.loads(answer.body)["pid"] != pid)


@pytest.mark.parametrize("name", WORKERS)
def test_its_life(spawn: Spawn, tmp_path: Path, name: str) -> None:
    worker, app = WORKERS[name]
    settings = {"worker_class": worker, "workers": 1, "max_requests": 12}
    server = spawn(app, settings=settings, env=ENV)
    server.wait_log(f"Using worker: {worker}")

    with Wire(server.address) as wire:
        order = b'{"item": "tea", "count": 2}'
        answer = wire.send(post("/orders", order, "Content-Type: application/json")).response()
        assert (answer.status, json.loads(answer.body)) == (201, json.loads(order))
        if name == "tornado":
            # Difference tornado-server.
            names = ["TornadoServer"] + ["(Gunicorn"] * server.command.is_gunicorn
            assert re.findall(r"[(\w]+(?=/)", answer.header("Server") or "") == names
        assert wire.send(get("/stream")).response().body == b"0 1 2 3 4 "
        assert wire.send(get("/boom")).response().status == 500
    if not (name == "asgi" and server.command.is_gunicorn):
        # Starlette answers and raises; Gunicorn takes the first for all there is to say.
        server.wait_log("out of luck")
    assert talk(server, "/ws", "hello") == ["5: hello"]

    first = who(server)["pid"]
    server.send_signal(signal.SIGHUP)
    until(lambda: another(server, first), "a new worker", show=server.log)
    until(lambda: first not in server.workers(), "the old worker to leave", show=server.log)
    second = who(server)["pid"]
    # Their counters are looked at now and then, or count connections.
    until(lambda: another(server, second), "a worker beyond max_requests", show=server.log)
    until(lambda: second not in server.workers(), "its predecessor to leave", show=server.log)

    gate = tmp_path / "gate"
    with Wire(server.address) as wire:
        wire.send(get(f"/gate?path={gate}"))
        server.wait_log("in the gate")
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate.touch()
        assert json.loads(wire.response().body) == "through"
    assert server.wait_exit() == 0
    assert "Perhaps out of memory" not in server.log()


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(ours_spawn: Spawn, name: str) -> None:
    worker, app = SPELLINGS[name]
    settings = {"worker_class": worker, "keepalive": 5, **certificates().server}
    server = ours_spawn(app, settings=settings, env=ENV)
    assert talk(server, "/ws", "hello", ca=certificates().ca) == ["5: hello"]
    host, port = server.address
    client = http.client.HTTPSConnection(
        str(host), int(port), timeout=20, context=certificates().client_context()
    )
    with contextlib.closing(client):
        client.request("GET", "/who")
        found = json.loads(client.getresponse().read())
        assert found["pid"] in server.workers()
        assert found.get("scheme", "https") == "https"
    server.assert_clean_exit()


@pytest.mark.parametrize("name", ["asgi", "tornado"])
def test_a_loop_that_stands_still(ours_spawn: Spawn, name: str) -> None:
    """`timeout` is about the loop: a request that holds it costs the worker its life."""
    worker, app = WORKERS[name]
    settings = {"worker_class": worker, "timeout": 2}
    server = ours_spawn(app, settings=settings, env=ENV)
    first = who(server)["pid"]
    with Wire(server.address) as wire:
        wire.send(get("/block"))
        server.wait_log("blocks")
        server.wait_log(f"WORKER TIMEOUT (pid:{first})")
    until(lambda: another(server, first), "a new worker", show=server.log)
    # It is aborted, and killed if that takes it longer than a turn of the master's loop.
    log = server.log()
    assert f"(pid:{first}) exited with code 1" in log or f"(pid:{first}) was sent SIGKILL!" in log


def test_uvicorn_takes_our_settings(spawn: Spawn) -> None:
    """Trusted peers, keep-alive, the access log through our handlers, the level of the log."""
    settings = {
        "worker_class": UVICORN,
        "forwarded_allow_ips": "127.0.0.2",
        "accesslog": "-",
        "loglevel": "warning",
        "keepalive": 1,
    }
    server = spawn("fast:app", settings=settings, env=ENV)
    fields = ("X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https")
    stranger = who(server, *fields)
    assert (stranger["client"], stranger["scheme"]) == ("127.0.0.1", "http")
    with Wire(server.address, source="127.0.0.2") as wire:
        friend = json.loads(wire.send(get("/who", *fields)).response().body)
        assert (friend["client"], friend["scheme"]) == ("9.9.9.9", "https")
        assert friend["shop"] == "open"
        # `keepalive` is over.
        assert wire.is_closed()
    server.wait_log('"GET /who HTTP/1.1" 200')
    assert "[INFO]" not in server.log()


def test_a_start_that_fails_ends_the_server(spawn: Spawn) -> None:
    settings = {"worker_class": AIOHTTP}
    server = spawn("aio:broken", settings=settings, env=ENV, ready=False)
    assert server.wait_exit() == 3
    assert "RuntimeError: no database" in server.log()


def test_aiohttp_and_the_access_log(spawn: Spawn, tmp_path: Path) -> None:
    """It knows Gunicorn's default format by heart, and refuses Gunicorn's other ones."""
    settings = {"worker_class": AIOHTTP, "accesslog": "-"}
    server = spawn("aio:app", settings=settings, env=ENV)
    who(server)
    server.wait_log('"GET /who HTTP/1.1" 200')
    settings["access_log_format"] = "%(h)s %(r)s"
    server = spawn("aio:app", settings=settings, env=ENV, ready=False)
    assert server.wait_exit() == 3
    assert "are not supported for the log formatting" in server.log()


def test_tornado_and_wsgi(spawn: Spawn) -> None:
    server = spawn("torn:wsgi", settings={"worker_class": "tornado", "keepalive": 0}, env=ENV)
    answer = ask(server, get("/some/path"))
    assert json.loads(answer.body)["path"] == "/some/path"
    if not server.command.is_gunicorn:
        # Gunicorn sets it where Tornado does not look.
        assert answer.header("Connection") == "close"
    server.assert_clean_exit()
