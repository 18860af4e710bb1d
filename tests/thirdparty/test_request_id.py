"""Worker classes with loops of others: what requests are called, and named access lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.named_lines import read
from harness.server import Spawn, spawner, thirdparty
from harness.wait import until
from harness.wire import Response, Wire, get

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEADER = "X-Request-ID"
WORKERS = {
    "gevent": "named:app",
    "gevent_pywsgi": "named:app",
    "tornado": "named:app",
    "asgi": "named_asgi:app",
}
LOGGING = ["gevent", "gevent_pywsgi", "asgi"]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test, ours."""
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


def facts(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("worker", WORKERS)
def test_names(spawn: Spawn, worker: str) -> None:
    settings = {"worker_class": worker, "request_id_header": HEADER}
    server = spawn(WORKERS[worker], settings=settings)
    with Wire(server.address) as wire:
        # One connection: none of them may keep the name of the request before.
        answer = wire.send(get("/facts", f"{HEADER}: from-a-proxy")).response()
        assert answer.header(HEADER) == "from-a-proxy"
        assert facts(answer)["HTTP_X_REQUEST_ID"] == "from-a-proxy"
        assert facts(answer)["rgunicorn.request_id"] == "from-a-proxy"
        answer = wire.send(get("/facts", f"{HEADER}: a", f"{HEADER}: b")).response()
        made = answer.header(HEADER)
        assert made is not None and UUID.fullmatch(made), made
        assert facts(answer)["HTTP_X_REQUEST_ID"] == made
        answer = wire.send(get("/facts")).response()
        assert UUID.fullmatch(str(answer.header(HEADER))) and answer.header(HEADER) != made
        assert wire.send(get("/own")).response().header(HEADER) == "the-apps-own"


@pytest.mark.parametrize("worker", WORKERS)
def test_strangers_give_no_names(spawn: Spawn, worker: str) -> None:
    settings = {
        "worker_class": worker,
        "request_id_header": HEADER,
        "forwarded_allow_ips": "10.1.2.3",
    }
    server = spawn(WORKERS[worker], settings=settings)
    with Wire(server.address) as wire:
        answer = wire.send(get("/facts", f"{HEADER}: mine")).response()
    made = str(answer.header(HEADER))
    assert UUID.fullmatch(made)
    assert facts(answer)["HTTP_X_REQUEST_ID"] == facts(answer)["rgunicorn.request_id"] == made


@pytest.mark.parametrize("worker", LOGGING)
def test_named_lines(spawn: Spawn, worker: str) -> None:
    server = spawn(
        WORKERS[worker],
        settings={
            "worker_class": worker,
            "request_id_header": HEADER,
            "accesslog": "access.log",
            "access_log_format": "json",
            "access_log_skip": ["/healthz"],
        },
    )
    (pid,) = server.workers()
    for path in ("/healthz", "/facts?a=%20b"):
        with Wire(server.address) as wire:
            wire.send(get(path, f"{HEADER}: r-1", 'User-Agent: a"b', "Connection: close"))
            wire.response()
    log = server.directory / "access.log"
    until(lambda: "/facts" in log.read_text(), "the access line", show=log.read_text)
    (line,) = log.read_text().splitlines()
    found = read("json", line)
    assert {
        "remote_addr": "127.0.0.1",
        "method": "GET",
        "path": "/facts",
        "query": "a=%20b",
        "protocol": "HTTP/1.1",
        "status": 200,
        "user_agent": 'a"b',
        "request_id": "r-1",
        "pid": pid,
        "slot": 0,
    }.items() <= found.items()
    # How long it waited nobody knows.
    assert "queue_time" not in found and "referer" not in found


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("request_id_header", HEADER),
        ("access_log_format", "json"),
        ("access_log_when", "5xx"),
        ("access_log_skip", ["/healthz"]),
    ],
)
def test_what_a_server_of_others_can_not_do_is_refused(
    spawn: Spawn, setting: str, value: Any
) -> None:
    server = spawn(
        "named_asgi:app",
        ready=False,
        settings={"worker_class": "uvicorn_worker.UvicornWorker", setting: value},
    )
    assert server.wait_exit() == 1
    assert f"{setting} = {value!r} can not be used with UvicornWorker" in server.log()
