"""Worker classes with an event loop are replaced as the others are, the successor first."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Command, Spawn, spawner
from harness.wait import until
from harness.wire import Closed, ask, get

WSGI = """
import os
kept = []
def app(environ, start_response):
    kept.append(os.urandom(int(environ["PATH_INFO"].strip("/") or 0) << 20))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
ASGI = """
import os
kept = []
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    kept.append(os.urandom(int(scope["path"].strip("/") or 0) << 20))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    if beside_others.is_gunicorn:
        pytest.skip("Gunicorn does not have it")
    with spawner(tmp_path, beside_others) as started:
        yield started


@pytest.mark.parametrize(
    ("worker", "app"),
    [
        ("gevent", WSGI),
        ("tornado", WSGI),
        ("asgi", ASGI),
        ("uvicorn_worker.UvicornWorker", ASGI),
    ],
)
def test_memory_requests_and_age(spawn: Spawn, tmp_path: Path, worker: str, app: str) -> None:
    (tmp_path / "kept.py").write_text(app)
    settings = {"worker_class": worker, "workers": 1, "chdir": str(tmp_path), "keepalive": 1}
    # uvicorn-worker beats its heart, and looks, every other second then.
    settings["timeout"] = 4
    server = spawn("kept:app", settings={**settings, "max_rss": "150M", "max_requests": 100})

    def pid(path: str = "/0") -> int:
        while True:
            # uvicorn closes what has not asked yet when its worker leaves.
            with contextlib.suppress(*([ConnectionError, Closed] if app == ASGI else [])):
                return int(ask(server.address, get(path, "Connection: close")).body)

    first = pid("/150")
    # A request for each look, of which there is one a second; and not as many as are enough.
    until(lambda: "above max_rss = 150.0 MiB" in server.log(), "its look", show=server.log)
    until(lambda: first not in server.workers(), "it to leave", show=server.log)
    second = pid()
    assert second != first
    until(lambda: {pid() for _ in range(10)} != {second}, "another again", show=server.log)
    log = server.assert_clean_exit()
    # A successor is forked before its predecessor leaves.
    events = re.findall(r"Booting worker|Worker exiting", log.partition("Handling signal: term")[0])
    assert events[:2] == ["Booting worker"] * 2
    assert "Traceback" not in log


def test_age(spawn: Spawn, tmp_path: Path) -> None:
    """The master knows it, whatever the class."""
    (tmp_path / "kept.py").write_text(ASGI)
    settings = {"worker_class": "uvicorn_worker.UvicornWorker", "max_worker_lifetime": 2}
    server = spawn("kept:app", settings={**settings, "workers": 1, "chdir": str(tmp_path)})
    (first,) = server.workers()
    until(lambda: first not in server.workers(), "another", show=server.log)
    assert f"Worker (pid:{first}) is " in server.assert_clean_exit()
