"""The wheel as its users get it: `pip install` where there is no Rust, then a server.

On each CPython that is here. In CI all of them are, but for the one without the GIL, which takes
too long to build: `make wheels-smoke` does that by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.dist import STABLE, interpreter, only, wheel
from harness.mode import Mode
from harness.server import Command, spawner
from harness.wait import until
from harness.wire import ask, get

APP = """
import json, sys
import gunicorn, gunicorn.app.base, rgunicorn, rgunicorn.app.base, rgunicorn._core

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({
        "version": "%d.%d" % sys.version_info[:2],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "core": rgunicorn._core.__file__,
        "alias": gunicorn.__version__,
        "same": gunicorn.app.base is rgunicorn.app.base,
        "threads": environ["wsgi.multithread"],
    }).encode()]
"""


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel and nothing else."""

    version: str
    home: Path

    @property
    def env(self) -> dict[str, str]:
        """Neither cargo nor a compiler is to be found."""
        return {"PATH": str(self.home / "bin"), "HOME": str(self.home)}

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """What the command of `bin` prints, on either stream; it must succeed."""
        program = self.home / "bin" / words[0]
        done = subprocess.run(
            [program, *words[1:]],
            env=self.env,
            cwd=cwd or self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def without_gil() -> tuple[Path, Path]:
    python = os.environ.get("RGUNICORN_WITHOUT_GIL")
    if not python:
        pytest.skip("CPython without the GIL takes too long to build: `make wheels-smoke`")
    return Path(python), only("rgunicorn-*-cp314t-*.whl")


@pytest.fixture(scope="module", params=[*STABLE, "3.14t"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    version: str = request.param
    if version == "3.14t":
        python, built = without_gil()
    else:
        found = interpreter(version)
        if found is None:
            pytest.skip(f"CPython {version} is not on this machine")
        python, built = found, wheel()
    there = Installed(version, tmp_path_factory.mktemp("installed") / version)
    # Our pip, run by that interpreter: a second one would take longer than all the rest. Only
    # its own knows for sure what a wheel without the GIL is.
    own = version.endswith("t")
    venv = [str(python), "-m", "venv", *([] if own else ["--without-pip"])]
    subprocess.run([*venv, str(there.home)], check=True, timeout=100)
    inside = str(there.home / "bin/python")
    pip = [inside, "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", inside]
    assert shutil.which("cargo", path=there.env["PATH"]) is None
    words = ["--isolated", "--disable-pip-version-check", "install", "--no-index", str(built)]
    done = subprocess.run(
        [*pip, *words], env=there.env, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return there


@pytest.fixture(scope="module")
def place(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project."""
    directory = tmp_path_factory.mktemp("project")
    (directory / "app.py").write_text(APP)
    (directory / "gunicorn.conf.py").write_text("workers = 2\n")
    return directory


@pytest.fixture(scope="module")
def command(installed: Installed) -> Iterator[Command]:
    # Not the interpreter and `-m`: the script that pip has made.
    yield Command((str(installed.home / "bin/rgunicorn"),), "rgunicorn")


def test_its_commands(installed: Installed, place: Path) -> None:
    assert "(version 0." in installed.run("rgunicorn", "--version")
    assert installed.run("rgunicorn", "--check-config", "app:app", cwd=place) == ""
    embedded = """
from rgunicorn.app.base import BaseApplication
class App(BaseApplication):
    def load_config(self): pass
App()
import gunicorn.app.base
print(gunicorn.__version__, gunicorn.app.base.BaseApplication is BaseApplication)
"""
    assert installed.run("python", "-c", embedded) == "27.0.1 True\n"


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_it_serves(
    installed: Installed, command: Command, place: Path, tmp_path: Path, worker: str
) -> None:
    with spawner(tmp_path, command) as spawn:
        env = installed.env | {"PYTHONPATH": str(place)}
        server = spawn("app:app", mode=Mode(worker), settings={"workers": 2}, env=env)

        def asked() -> dict[str, object]:
            answer = ask(server.address, get("/"))
            assert answer.status == 200, answer
            told: dict[str, object] = json.loads(answer.body)
            return told

        first = asked()
        assert str(first.pop("core")).startswith(str(installed.home))
        assert first == {
            "version": installed.version.rstrip("t"),
            "gil": not installed.version.endswith("t"),
            "alias": "27.0.1",
            "same": True,
            "threads": worker == "gthread",
        }
        before = set(server.workers())
        server.send_signal(signal.SIGHUP)
        until(
            lambda: len(server.workers()) == 2 and not before & set(server.workers()),
            "two new workers",
            show=server.log,
        )
        asked()
        assert "Traceback" not in server.assert_clean_exit()
