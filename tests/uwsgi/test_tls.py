"""uwsgi over TLS: nginx's `uwsgi_pass suwsgi://`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.certificates import certificates
from harness.mode import MODES, Mode
from harness.nginx import available, nginx
from harness.server import Spawn
from harness.wire import Wire, get, post

pytestmark = pytest.mark.skipif(not available(), reason="nginx is not installed")


@pytest.mark.parametrize("worker", sorted({mode.worker for mode in MODES}))
@pytest.mark.gunicorn_bug("REMOTE_ADDR is nginx's")
def test_packets_over_tls(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    settings = {"protocol": "uwsgi", **certificates().server}
    server = spawn("kitchen:app", Mode(worker), settings=settings)
    port = server.bind.rpartition(":")[2]
    upstream = ("127.0.0.1", int(port))
    locations = {"/": "uwsgi_param REMOTE_ADDR 203.0.113.9;"}
    with (
        nginx(tmp_path / "nginx", upstream, uwsgi=locations, scheme="suwsgi://") as proxy,
        Wire(("127.0.0.1", proxy.port)) as wire,
    ):
        body = wire.send(get("/environ")).response().body
        found = {key: value for key, (_, value) in json.loads(body).items()}
        assert found["REMOTE_ADDR"] == "203.0.113.9"
        # nginx's client came by http, and that is what counts.
        assert found["wsgi.url_scheme"] == "http"
        data = bytes(range(256)) * 2000
        assert wire.send(post("/echo", data)).response().body == data
