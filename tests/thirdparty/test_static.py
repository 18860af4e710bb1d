"""`static_map` in worker classes that need packages of others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Command, Server, Spawn, spawner
from harness.wire import Wire, get

APPS = Path(__file__).parent / "gevent_apps"


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test."""
    if beside_others.is_gunicorn:
        pytest.skip("Gunicorn has no static_map")
    with spawner(tmp_path, beside_others) as started:
        yield started


@pytest.fixture
def www(tmp_path: Path) -> Path:
    directory = tmp_path / "www"
    directory.mkdir()
    (directory / "big.bin").write_bytes(random.Random(7).randbytes(1_000_001))
    (directory / "x.css").write_bytes(b"p {}")
    return directory


@pytest.mark.parametrize("worker", ["gevent", "gevent_pywsgi"])
def test_gevent_serves_them(spawn: Spawn, www: Path, worker: str) -> None:
    settings = {"worker_class": worker, "static_map": f"/s={www}", "accesslog": "-"}
    server: Server = spawn("green:app", settings=settings, env={"PYTHONPATH": str(APPS)})
    whole = (www / "big.bin").read_bytes()
    with Wire(server.address) as wire:
        assert wire.send(get("/s/big.bin")).response().body == whole
        part = wire.send(get("/s/big.bin", "Range: bytes=500000-")).response()
        assert (part.status, part.body) == (206, whole[500_000:])
        css = wire.send(get("/s/x.css")).response()
        assert (css.body, css.header("X-Content-Type-Options")) == (b"p {}", "nosniff")
        head = wire.send(get("/s/x.css", method="HEAD")).response("HEAD")
        assert (head.status, head.header("Content-Length")) == (200, "4")
        tag = css.header("Last-Modified")
        again = wire.send(get("/s/x.css", f"If-Modified-Since: {tag}")).response()
        assert again.status == 304
        assert b'"pid"' in wire.send(get("/who")).response().body
    server.wait_log('"GET /s/big.bin HTTP/1.1" 206 ')


@pytest.mark.parametrize(("worker", "name"), [("tornado", "TornadoWorker"), ("asgi", "ASGIWorker")])
def test_others_say_that_they_do_not(spawn: Spawn, www: Path, worker: str, name: str) -> None:
    settings = {"worker_class": worker, "static_map": f"/s={www}"}
    server: Server = spawn("green:app", ready=False, settings=settings)
    assert server.wait_exit() == 1
    assert server.log() == (
        f"\nError: static_map = ['/s={www}'] can not be used with {name}, whose server knows the "
        "application only: use worker_class 'sync', 'gthread' or 'gevent', or let the proxy or "
        "the application's framework serve the files.\n"
    )
