"""deploy/heroku: the Procfile and its configuration, as a dyno starts and stops them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import TESTS, Command, children, clean_environment, free_port
from harness.wait import until
from harness.wire import Wire, get

FILES = TESTS.parent / "deploy/heroku"

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("honcho") is None, reason="honcho is not installed"
    ),
    pytest.mark.ours("request_timeout and others"),
]


APPLICATION = """
import os, sys, time

def application(environ, start_response):
    body = b"hello"
    if environ["PATH_INFO"] == "/gate":
        print("the gate is closed", file=sys.stderr, flush=True)
        while not os.path.exists("open"):
            time.sleep(0.01)
        body = b"through"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Dyno:
    """A slug: its files, its environment, honcho in the place of Heroku's own runner."""

    def __init__(self, directory: Path, command: Command) -> None:
        self.directory = directory
        self.address = ("127.0.0.1", free_port())
        for name in ("Procfile", "gunicorn.conf.py"):
            shutil.copy(FILES / name, directory)
        package = directory / "shop"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "wsgi.py").write_text(APPLICATION)
        programs = directory / "bin"
        programs.mkdir()
        (programs / "rgunicorn").write_text(f'#!/bin/sh\nexec {" ".join(command.argv)} "$@"\n')
        (programs / "rgunicorn").chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        self.env = clean_environment({"PATH": path, "PORT": str(self.address[1])})
        self.env["WEB_CONCURRENCY"] = "2"
        self.log_path = directory / "log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "honcho", "start"],
                cwd=directory,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        return self.log_path.read_text()

    def all_of_it(self) -> list[int]:
        """Every process of the server."""
        found, new = [], children(self.process.pid)
        while new:
            found += new
            new = [child for pid in new for child in children(pid)]
        return found

    def end(self) -> None:
        for pid in (*self.all_of_it(), self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


@pytest.fixture
def dyno(tmp_path: Path, command: Command) -> Iterator[Dyno]:
    started = Dyno(tmp_path, command)
    try:
        yield started
    finally:
        started.end()


def test_a_dyno_serves_and_finishes_what_it_has(dyno: Dyno) -> None:
    until(lambda: "Listening at: http://0.0.0.0:" in dyno.log(), "the server", show=dyno.log)
    until(lambda: len(dyno.all_of_it()) > 2, "two workers", show=dyno.log)
    with Wire(dyno.address) as wire, Wire(dyno.address) as other:
        # Of the router, which is not on this machine: its name for the request goes back.
        answer = wire.send(get("/", "X-Request-ID: of-the-router")).response()
        assert answer.header("X-Request-ID") == "of-the-router"
        other.send(get("/gate"))
        until(lambda: "the gate is closed" in dyno.log(), "the request to run", show=dyno.log)
        for pid in dyno.all_of_it():
            os.kill(pid, signal.SIGTERM)
        (dyno.directory / "open").touch()
        assert other.response().body == b"through"
    until(lambda: not dyno.all_of_it(), "everybody to leave", show=dyno.log)
    # The shell that runs the line has got TERM like everybody, and dies of it; the server does not.
    assert dyno.log().count("Worker exiting") == 2
    assert "Shutting down: Master" in dyno.log()
