"""Gunicorn and rgunicorn: one command line, two programs."""

from __future__ import annotations

import os
from pathlib import Path

from loadbench.errors import Unavailable
from loadbench.install import install_tree, installed_version
from loadbench.paths import APPS, REPOSITORY
from loadbench.peer import BACKLOG, FromPyPI, Launch, Peer


class GunicornSync(FromPyPI):
    """Gunicorn with sync workers. It closes every connection, whatever the client asks for."""

    name = "gunicorn-sync"
    title = "Gunicorn sync"
    requirement = "gunicorn==27.0.1"

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "gunicorn", launch, ["--worker-class", "sync"])


class GunicornGthread(GunicornSync):
    """Gunicorn with its threaded worker."""

    name = "gunicorn-gthread"
    title = "Gunicorn gthread"
    has_threads = True

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "gunicorn", launch, _gthread(launch))


class RgunicornSync(Peer):
    """rgunicorn with sync workers, built from this tree.

    RGUNICORN_PYTHON names an interpreter that already has a (release!) build installed.
    """

    name = "rgunicorn-sync"
    title = "rgunicorn sync"
    python: Path

    def prepare(self) -> None:
        given = os.environ.get("RGUNICORN_PYTHON")
        if given:
            self.python = Path(given).absolute()
            return
        if not (REPOSITORY / "python" / "rgunicorn" / "__main__.py").exists():
            raise Unavailable("this tree has no rgunicorn/__main__.py yet")
        self.python = install_tree("rgunicorn")

    def version(self) -> str:
        return installed_version(self.python, "rgunicorn") or "unknown"

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "rgunicorn", launch, ["--worker-class", "sync"])


class RgunicornSyncKeepalive(RgunicornSync):
    """The same with kept-alive connections switched on."""

    name = "rgunicorn-sync-ka"
    title = "rgunicorn sync, --sync-keepalive"
    variant_of = "rgunicorn-sync"

    def command(self, launch: Launch) -> list[str]:
        return [*super().command(launch), "--sync-keepalive"]


class RgunicornGthread(RgunicornSync):
    """rgunicorn with its threaded worker."""

    name = "rgunicorn-gthread"
    title = "rgunicorn gthread"
    has_threads = True

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "rgunicorn", launch, _gthread(launch))


class RgunicornBuild(RgunicornSync):
    """An installed build of rgunicorn, to be compared with another one.

    `like` is the configuration in which it runs; the object is this build's own afterwards.
    """

    def __init__(self, name: str, python: Path, like: RgunicornSync) -> None:
        self.name = name
        self.title = f"build {name}, {like.title}"
        self.python = python.absolute()
        self.has_threads = like.has_threads
        self._like = like
        self._like.python = self.python

    def prepare(self) -> None:
        if installed_version(self.python, "rgunicorn") is None:
            raise Unavailable(f"{self.python} can not import rgunicorn")

    def version(self) -> str:
        return f"{super().version()} in {self.python}"

    def command(self, launch: Launch) -> list[str]:
        return self._like.command(launch)


def _gthread(launch: Launch) -> list[str]:
    return ["--worker-class", "gthread", "--threads", str(launch.threads)]


def _command(python: Path, module: str, launch: Launch, worker: list[str]) -> list[str]:
    command = [str(python), "-m", module, "--workers", str(launch.workers), *worker]
    command += ["--bind", f"127.0.0.1:{launch.port}", "--backlog", BACKLOG]
    if launch.connections:
        # By default 1,000 connections, and 2 s for the next request on one of them.
        command += ["--worker-connections", str(launch.connections), "--keep-alive", "75"]
    if launch.access_log:
        command += ["--access-logfile", str(launch.access_log)]
    return [*command, "--chdir", str(APPS), launch.app]
