"""TLS in workers with a loop of their own: client certificates, certificates that change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.certificates import Certificates, certificates
from harness.server import Server, Spawn, spawner, thirdparty
from harness.wait import until
from harness.wire import Wire, get

APP = """
import json

def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
"""

HOOK = """
def ssl_context(config, default_ssl_context_factory):
    return default_ssl_context_factory()
"""

WORKERS = {
    "gevent": "tlsapp:app",
    "gevent_pywsgi": "tlsapp:app",
    "tornado": "tlsapp:app",
    "asgi": "tlsapp:asgi",
    "uvicorn_worker.UvicornWorker": "tlsapp:asgi",
}


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test; Gunicorn has none of this."""
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    (tmp_path / "tlsapp.py").write_text(APP)
    with spawner(tmp_path, ours) as started:
        yield started


def serial(server: Server, files: Certificates) -> int:
    with Wire(server.address, context=files.client_context()) as wire:
        wire.sock.handshake()
        return int(wire.sock.object.getpeercert()["serialNumber"], 16)


def live(directory: Path, files: Certificates, name: str) -> dict[str, object]:
    """Settings with files of the test's own, which now hold the certificate `name`."""
    found = {"certfile": directory / "live.pem", "keyfile": directory / "live.key"}
    shutil.copy(files.cert(name), found["certfile"])
    shutil.copy(files.key(name), found["keyfile"])
    return {setting: str(path) for setting, path in found.items()}


@pytest.mark.parametrize("worker", ["gevent", "gevent_pywsgi", "tornado"])
def test_the_environ_knows_the_client(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    files = certificates()
    settings = {"worker_class": worker, "cert_reqs": 1, "ca_certs": files.ca, **files.server}
    server = spawn(WORKERS[worker], settings=settings, env={"PYTHONPATH": str(tmp_path)})
    for name, verified in (("client", "SUCCESS"), (None, "NONE")):
        with Wire(server.address, context=files.client_context(name)) as wire:
            # Whatever a header says.
            wire.send(get("/", "Ssl-Client-Verify: FORGED"))
            seen = json.loads(wire.response().body)
        assert seen["SSL_CLIENT_VERIFY"] == verified
        assert seen["SSL_PROTOCOL"] == "TLSv1.3"
        subject = seen.get("SSL_CLIENT_S_DN", "").encode("latin-1").decode()
        assert subject.startswith('CN=a \\"client\\"\\, ünknown,') == (name is not None)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
@pytest.mark.parametrize("worker", ["gevent", "tornado"])
def test_a_key_that_only_root_can_read(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    files = certificates()
    settings = {"worker_class": worker, "user": "nobody", **live(tmp_path, files, "server")}
    tmp_path.chmod(0o700)
    # The application is behind that door, too.
    settings["preload_app"] = True
    server = spawn(WORKERS[worker], settings=settings, env={"PYTHONPATH": str(tmp_path)})
    with Wire(server.address, context=files.client_context()) as wire:
        assert wire.send(get("/")).response().status == 200
    (pid,) = server.workers()
    assert os.stat(f"/proc/{pid}").st_uid != 0


@pytest.mark.parametrize("worker", ["gevent", "gevent_pywsgi"])
def test_handshakes_that_fail_are_lines_in_the_log(
    spawn: Spawn, tmp_path: Path, worker: str
) -> None:
    """And one that stalls is ended."""
    files = certificates()
    limits = {"keepalive": 2, "client_header_timeout": 2}
    settings = {"worker_class": worker, "cert_reqs": 2, "ca_certs": files.ca, **files.server}
    env = {"PYTHONPATH": str(tmp_path)}
    server = spawn(WORKERS[worker], settings={**settings, **limits}, env=env)
    with socket.create_connection(server.address, timeout=30) as stalled:
        # A look at the port, as of a balancer.
        socket.create_connection(server.address).close()
        with socket.create_connection(server.address) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            server.wait_log("Invalid request from ip=127.0.0.1: [SSL: HTTP_REQUEST]")
        with (
            Wire(server.address, context=files.client_context("stranger")) as wire,
            pytest.raises(ssl.SSLError, match="unknown ca"),
        ):
            wire.sock.handshake()
            wire.send(get("/"))
            wire.response()
        server.wait_log("Invalid request from ip=127.0.0.1: [SSL: CERTIFICATE_VERIFY_FAILED]")
        assert stalled.recv(1) == b""
    with Wire(server.address, context=files.client_context("client")) as wire:
        assert wire.send(get("/")).response().status == 200
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    ("worker", "hook"),
    [
        ("gevent", ""),
        ("uvicorn_worker.UvicornWorker", ""),
        *((worker, HOOK) for worker in WORKERS if not worker.startswith("uvicorn")),
    ],
)
def test_a_certificate_that_can_not_be_used_changes_nothing(
    spawn: Spawn, tmp_path: Path, worker: str, hook: str
) -> None:
    """Where the hook is called, in the worker, the old workers stay; else none is forked at all."""
    files = certificates()
    settings = {"worker_class": worker, **live(tmp_path, files, "server")}
    env = {"PYTHONPATH": str(tmp_path)}
    server = spawn(WORKERS[worker], settings=settings, config=hook, env=env)
    first, workers = serial(server, files), server.workers()
    Path(str(settings["certfile"])).write_text("no certificate")
    server.send_signal(signal.SIGHUP)
    log = server.wait_log("Reload failed, the old configuration stays in force")
    assert serial(server, files) == first
    assert server.workers() == workers
    if not worker.startswith("uvicorn"):
        assert f"certfile = {str(settings['certfile'])!r}, keyfile = " in log
        assert "Traceback" not in log
    # Mended, it is taken.
    live(tmp_path, files, "renewed")
    server.send_signal(signal.SIGHUP)
    until(lambda: not set(server.workers()) & set(workers), "new workers", show=server.log)
    assert serial(server, files) != first


@pytest.mark.parametrize("hook", ["", HOOK], ids=["plain", "hook"])
def test_one_that_can_not_be_used_ends_the_start(spawn: Spawn, tmp_path: Path, hook: str) -> None:
    files = certificates()
    settings = {"worker_class": "gevent", **files.server, "keyfile": files.key("client")}
    env = {"PYTHONPATH": str(tmp_path)}
    server = spawn("tlsapp:app", ready=False, settings=settings, config=hook, env=env)
    # 3: found by a worker, which does not boot.
    assert server.wait_exit() == (3 if hook else 1)
    assert "can not be used: " in server.log()
    assert "Traceback" not in server.log()
