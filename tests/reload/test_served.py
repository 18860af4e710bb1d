"""`reload` and `spew` in servers at work: what a developer sees of them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from harness.server import APPS, Server, Spawn
from harness.wait import until
from harness.wire import Closed, ask, get

APP = """\
from pathlib import Path

def application(environ, start_response):
    body = b"CODE " + Path("page.html").read_bytes()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Project:
    """A directory with an application, a template, and a server that watches both."""

    def __init__(self, directory: Path, code: str) -> None:
        self.directory = directory
        self.write("live.py", code)
        self.write("page.html", "page")
        self.server: Server

    def write(self, name: str, text: str) -> None:
        """At once, as editors do: a worker may be reading the file."""
        draft = self.directory / f".{name}.draft"
        draft.write_text(text)
        os.utime(draft, ns=(time.time_ns(), time.time_ns()))
        draft.replace(self.directory / name)

    def shows(self) -> str:
        # A worker that leaves may take a connection along.
        with contextlib.suppress(OSError, Closed):
            return ask(self.server.address, get("/", "Connection: close")).body.decode()
        return ""

    def change(self, name: str, text: str, shown: str) -> None:
        """Writes until a worker has seen it: its first look may come after our change."""
        said = f"Worker reloading: {self.directory / name} modified"
        before = self.server.log().count(said)

        def noticed() -> bool:
            self.write(name, text)
            return self.server.log().count(said) > before

        until(noticed, said, show=self.server.log)
        until(lambda: shown in self.shows(), repr(shown), show=self.server.log)


WAYS = [
    pytest.param("sync", "poll"),
    pytest.param("gthread", "poll"),
    pytest.param("sync", "inotify", marks=pytest.mark.gunicorn_bug("needs a package")),
    pytest.param("gthread", "inotify", marks=pytest.mark.gunicorn_bug("needs a package")),
]


@pytest.mark.parametrize(("worker", "engine"), WAYS)
def test_what_changes_is_served(spawn: Spawn, tmp_path: Path, worker: str, engine: str) -> None:
    # The server is started with code that can not be read.
    project = Project(tmp_path, "def application(:\n")
    settings = {
        "worker_class": worker,
        "threads": 1,
        "reload": True,
        "reload_engine": engine,
        "reload_extra_files": [str(tmp_path / "*.html")],
        "chdir": str(tmp_path),
    }
    server = project.server = spawn("live:application", settings=settings)
    answer = ask(server.address, get("/", "Connection: close"))
    assert answer.status == 500
    assert "SyntaxError: invalid syntax" in answer.body.decode()
    assert "[WARNING] Reloader is on. Use in development only!" in server.log()

    project.change("live.py", APP.replace("CODE", "mended"), "mended page")
    project.change("page.html", "leaf", "mended leaf")
    project.change("live.py", "def application(:\n", "SyntaxError")
    project.change("live.py", APP.replace("CODE", "again"), "again leaf")
    server.assert_clean_exit()


@pytest.mark.parametrize(
    "worker",
    [
        "sync",
        pytest.param("gthread", marks=pytest.mark.gunicorn_bug("its threads are not traced")),
    ],
)
def test_spew_shows_the_application(spawn: Spawn, worker: str) -> None:
    settings = {"worker_class": worker, "threads": 1, "spew": True}
    # stdout is a file here: each line has to get there before the process ends.
    env = {"PYTHONUNBUFFERED": "1"}
    server = spawn("tiny:application", settings=settings, env=env)
    pid = server.workers()[0]
    assert ask(server.address, get("/pid", "Connection: close")).body == str(pid).encode()
    number, line = next(
        (number, line)
        for number, line in enumerate((APPS / "tiny.py").read_text().splitlines(), 1)
        if "order, _, argument" in line
    )
    server.wait_log(f"tiny:{number}: {line}\n")
