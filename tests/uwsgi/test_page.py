"""The configurations of docs/nginx.md, as they stand there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.nginx import available, running
from harness.server import TESTS, Spawn, free_port
from harness.wire import Wire, get

PARAMS = Path("/etc/nginx/uwsgi_params")
BLOCKS = re.findall(r"```nginx\n(.*?)```", (TESTS.parent / "docs/nginx.md").read_text(), re.S)

pytestmark = [
    pytest.mark.skipif(not available(), reason="nginx is not installed"),
    pytest.mark.skipif(not PARAMS.exists(), reason="nginx brings no uwsgi_params"),
]


@pytest.mark.parametrize("protocol, block", list(zip(("http", "uwsgi"), BLOCKS, strict=True)))
@pytest.mark.gunicorn_bug("SCRIPT_NAME and custom parameters are ignored")
def test_it_works_as_written(spawn: Spawn, tmp_path: Path, protocol: str, block: str) -> None:
    server = spawn("environ:app", Mode("gthread", "unix"), settings={"protocol": protocol})
    directory = tmp_path / "nginx"
    directory.mkdir()
    shutil.copy(PARAMS, directory)
    port = free_port()
    for written, here in (
        ("unix:/run/app.sock", server.bind),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ):
        assert block.count(written) == 1
        block = block.replace(written, here)
    with running(directory, port, block), Wire(("127.0.0.1", port)) as wire:
        body = wire.send(get("/mounted/a%20b")).response().body
        found = {key: value for key, (_, value) in json.loads(body).items()}
        assert found["wsgi.url_scheme"] == "http"
        if protocol == "http":
            assert found["PATH_INFO"] == "/mounted/a b"
            assert found["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
        else:
            assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/mounted", "/a b")
            assert found["MY_PARAMETER"] == "reaches environ as it is"
            assert found["REMOTE_ADDR"] == "127.0.0.1"
