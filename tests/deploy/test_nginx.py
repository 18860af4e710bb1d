"""deploy/nginx: each configuration, in a real nginx in front of a server started as it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.nginx import available, running
from harness.server import TESTS, Server, Spawn, free_port
from harness.wire import Wire, get

PARAMS = Path("/etc/nginx/uwsgi_params")
FILES = sorted((TESTS.parent / "deploy/nginx").glob("*.conf"), key=lambda path: path.name)

pytestmark = [
    pytest.mark.skipif(not available(), reason="nginx is not installed"),
    pytest.mark.skipif(not PARAMS.exists(), reason="nginx brings no uwsgi_params"),
    pytest.mark.gunicorn_bug("SCRIPT_NAME and custom parameters are ignored"),
]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def site(request: pytest.FixtureRequest, spawn: Spawn, tmp_path: Path) -> Iterator[Wire]:
    """A connection to nginx, which has the configuration as it stands but for addresses."""
    text = request.param.read_text()
    server, address = started(spawn, shlex.split(text.splitlines()[0].removeprefix("# ")))
    directory = tmp_path / "nginx"
    directory.mkdir()
    shutil.copy(PARAMS, directory)
    port = free_port()
    for written, here in ((f"server {address} ", f"server {server.bind} "), ("80;", f"{port};")):
        assert text.count(written) == 1
        text = text.replace(written, here)
    assert f"listen {port};" in text
    text = text.replace(f"listen {port};", f"listen 127.0.0.1:{port};")
    with running(directory, port, text), Wire(("127.0.0.1", port)) as wire:
        yield wire


def started(spawn: Spawn, words: list[str]) -> tuple[Server, str]:
    """The server of this command line, at an address of its own, and the address in the line."""
    assert words.pop(0) == "rgunicorn"
    assert words.pop() == "myproject.wsgi:application"
    place = words.index("--bind")
    _, address = words.pop(place), words.pop(place)
    mode = Mode("sync", "unix" if address.startswith("unix:") else "tcp")
    return spawn("environ:app", mode, args=words), address


def seen(wire: Wire, target: str, *fields: str) -> dict[str, str]:
    """The environ of a request."""
    body = wire.send(get(target, *fields)).response().body
    return {key: value for key, (_, value) in json.loads(body).items()}


def test_requests_come_through(site: Wire, request: pytest.FixtureRequest) -> None:
    for _ in range(3):
        found = seen(site, "/mounted/a%20b?c=d", "X-Forwarded-For: 1.2.3.4")
        assert found["wsgi.url_scheme"] == "http"
        assert re.fullmatch(r"t=\d+\.\d+", found["HTTP_X_REQUEST_START"])
        assert found["QUERY_STRING"] == "c=d"
    if "uwsgi" in request.node.name:
        assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/mounted", "/a b")
        assert found["MY_PARAMETER"] == "reaches environ as it is"
        assert found["REMOTE_ADDR"] == "127.0.0.1"
        assert seen(site, "/x")["SCRIPT_NAME"] == ""
    else:
        assert found["PATH_INFO"] == "/mounted/a b"
        assert found["HTTP_X_FORWARDED_FOR"] == "1.2.3.4, 127.0.0.1"
        assert re.fullmatch("[0-9a-f]{32}", found["HTTP_X_REQUEST_ID"])
