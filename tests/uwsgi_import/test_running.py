"""Imported files, run: the server listens where uWSGI did and does what its options said."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.server import Address, children, clean_environment, free_port
from harness.uwsgi import request
from harness.wait import until
from harness.wire import Wire, ask, get, post
from rgunicorn.config import KNOWN_SETTINGS

APP = """\
import json, os, threading
def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("404 Not Found" if path == "/none" else "200 OK", [])
    names = "SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "SERVER_PROTOCOL"
    return [json.dumps({
        **{name: environ[name] for name in names},
        "shop": os.environ.get("SHOP"),
        "directory": os.getcwd(),
        "threads": environ["wsgi.multithread"],
        "body": len(environ["wsgi.input"].read()),
        "cookie": len(environ.get("HTTP_COOKIE", "")),
    }).encode()]
"""
BUILT = {setting.name for setting in KNOWN_SETTINGS if setting.unbuilt is None}


def when_built(setting: str, *lines: str) -> list[str]:
    """Lines of uWSGI whose setting the server refuses as long as it is not built."""
    return list(lines) if setting in BUILT else []


@dataclass
class Running:
    directory: Path
    log: Path
    pid: int

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def running(directory: Path, lines: list[str], address: Address) -> Iterator[Running]:
    """Imports a file of these lines by the command, and runs what it has written."""
    app = directory / "srv"
    (app / "shop").mkdir(parents=True)
    (app / "shop/wsgi.py").write_text(APP)
    (directory / "uwsgi.ini").write_text("\n".join(["[uwsgi]", f"chdir = {app}", *lines, ""]))
    rgunicorn = [sys.executable, "-m", "rgunicorn"]
    env = clean_environment() | {"PYTHONPATH": ""}
    subprocess.run(
        [*rgunicorn, "import-uwsgi", "--quiet", "uwsgi.ini", "-o", "gunicorn.conf.py"],
        cwd=directory,
        env=env,
        check=True,
        timeout=60,
    )
    log = directory / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*rgunicorn, "-c", "gunicorn.conf.py"],
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Running(directory, log, process.pid)
    try:
        until(
            lambda: answers(address) or process.poll() is not None, "it listens", show=server.said
        )
        assert process.poll() is None, server.said()
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, server.said()
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def answers(address: Address) -> bool:
    try:
        Wire(address).close()
    except OSError:
        return False
    return True


def test_over_http(tmp_path: Path) -> None:
    port, status = free_port(), free_port()
    lines = [
        f"http-socket = 127.0.0.1:{port}",
        "wsgi-file = shop/wsgi.py",
        "callable = app",
        "master = true",
        "processes = 3",
        "threads = 2",
        "env = SHOP=a b",
        "harakiri = 30",
        "buffer-size = 32768",
        "post-buffering = 4096",
        "max-requests = 1000",
        "procname-prefix-spaced = shop",
        "pidfile = shop.pid",
        *when_built("access_log_when", "disable-logging = true", "log-4xx = true"),
        *when_built("static_map", f"static-map = /static={tmp_path}/srv/static"),
        *when_built("status_bind", f"stats = 127.0.0.1:{status}"),
    ]
    (tmp_path / "srv/static").mkdir(parents=True)
    (tmp_path / "srv/static/a.css").write_text("a {}")
    address = ("127.0.0.1", port)
    with running(tmp_path, lines, address) as server:
        until(lambda: len(children(server.pid)) >= 3, "three workers", show=server.said)
        answer = ask(address, post("/x", b"b" * 9000, f"Cookie: {'c' * 20000}"))
        assert answer.status == 200, server.said()
        assert json.loads(answer.body) == {
            "SCRIPT_NAME": "",
            "PATH_INFO": "/x",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "shop": "a b",
            "directory": str(tmp_path / "srv"),
            "threads": True,
            "body": 9000,
            "cookie": 20000,
        }
        assert (tmp_path / "srv/shop.pid").read_text().strip() == str(server.pid)
        # As the comment in the file says.
        assert "`gunicorn: master [...]`" in (tmp_path / "gunicorn.conf.py").read_text()
        assert Path(f"/proc/{server.pid}/cmdline").read_text().startswith("gunicorn: master [shop]")
        assert ask(address, get("/none")).status == 404
        until(lambda: "GET /none" in server.said(), "its access line", show=server.said)
        if "access_log_when" in BUILT:
            assert "POST /x" not in server.said()
        if "static_map" in BUILT:
            assert ask(address, get("/static/a.css")).body == b"a {}"
        if "status_bind" in BUILT:
            pages = ("127.0.0.1", status)
            until(lambda: answers(pages), "the status pages", show=server.said)
            assert ask(pages, get("/healthz")).status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the socket to another user")
def test_over_uwsgi(tmp_path: Path) -> None:
    """On a Unix socket, the application mounted, behind what nginx sends."""
    path = tmp_path / "s"
    lines = [
        f"socket = {path}",
        "mount = /shop=shop.wsgi:app",
        "manage-script-name = true",
        "workers = 1",
        "buffer-size = 65535",
        *when_built("unix_socket_mode", "chmod-socket = 660"),
        *when_built("unix_socket_owner", "chown-socket = root:www-data"),
    ]
    with running(tmp_path, lines, str(path)) as server:
        with Wire(str(path)) as wire:
            answer = wire.send(request("/shop/a", HTTP_COOKIE="c" * 20000)).response()
        assert answer.status == 200, server.said()
        seen = json.loads(answer.body)
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/shop", "/a")
        assert (seen["REMOTE_ADDR"], seen["cookie"]) == ("198.51.100.7", 20000)
        if "unix_socket_mode" in BUILT:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        if "unix_socket_owner" in BUILT:
            assert path.group() == "www-data"
    assert not path.exists()
