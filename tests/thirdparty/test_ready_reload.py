"""HUP with worker classes of others, whose applications start up inside their loop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Server, Spawn, spawner, thirdparty
from harness.wait import until
from harness.wire import ask, get

APP = """
import asyncio, os

async def start():
    print("starting up", flush=True)
    while not os.path.exists({gate!r}):
        await asyncio.sleep(0.02)
    if {broken}:
        raise ValueError("no database")

async def app(scope, receive, send):
    if scope["type"] == "http":
        head = [(b"content-length", b"%d" % len({word!r}))]
        await send({{"type": "http.response.start", "status": 200, "headers": head}})
        await send({{"type": "http.response.body", "body": {word!r}}})
        return
    await receive()
    try:
        await start()
    except ValueError as exc:
        await send({{"type": "lifespan.startup.failed", "message": str(exc)}})
        return
    await send({{"type": "lifespan.startup.complete"}})
    await receive()
    await send({{"type": "lifespan.shutdown.complete"}})

async def factory():
    from aiohttp import web
    async def answer(request):
        return web.Response(body={word!r})
    await start()
    application = web.Application()
    application.router.add_get("/", answer)
    return application
"""

WORKERS = {
    "uvicorn": ("uvicorn_worker.UvicornWorker", "startup:app"),
    "aiohttp": ("aiohttp.GunicornWebWorker", "startup:factory"),
}


@pytest.fixture
def ours_spawn(tmp_path: Path) -> Iterator[Spawn]:
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


def write(directory: Path, word: bytes, broken: bool = False) -> None:
    text = APP.format(gate=str(directory / "open"), word=word, broken=broken)
    (directory / "startup.py").write_text(text)


def answer(server: Server) -> bytes:
    return ask(server.address, get("/", "Connection: close")).body


@pytest.mark.parametrize("name", WORKERS)
def test_old_workers_serve_until_the_start_up_is_over(
    ours_spawn: Spawn, tmp_path: Path, name: str
) -> None:
    gate = tmp_path / "open"
    gate.touch()
    write(tmp_path, b"first")
    worker, app = WORKERS[name]
    settings = {"worker_class": worker, "workers": 1, "chdir": str(tmp_path)}
    server = ours_spawn(app, settings=settings)
    until(lambda: answer(server) == b"first", "an answer", show=server.log)
    old = server.workers()
    gate.unlink()
    write(tmp_path, b"broken", broken=True)
    server.send_signal(signal.SIGHUP)
    server.wait_log("starting up", 2)
    assert answer(server) == b"first"
    gate.touch()
    server.wait_log("[ERROR] Reload failed, the old configuration stays in force")
    assert "no database" in server.log()
    until(lambda: server.workers() == old, "the old worker alone", show=server.log)
    assert answer(server) == b"first"
    gate.unlink()
    write(tmp_path, b"second")
    server.send_signal(signal.SIGHUP)
    server.wait_log("starting up", 3)
    assert answer(server) == b"first"
    gate.touch()
    until(lambda: not set(old) & set(server.workers()), "a new worker", show=server.log)
    assert answer(server) == b"second"
    server.assert_clean_exit()
