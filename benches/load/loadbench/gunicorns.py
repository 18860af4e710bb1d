"""Gunicorn and rgunicorn: one command line, two programs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from loadbench.errors import BenchError, Unavailable
from loadbench.install import install_tree, installed_version, missing_frameworks
from loadbench.paths import APPS, REPOSITORY
from loadbench.peer import BACKLOG, FromPyPI, Launch, Peer


class GunicornSync(FromPyPI):
    """Gunicorn with sync workers. It closes every connection, whatever the client asks for."""

    name = "gunicorn-sync"
    title = "Gunicorn sync"
    requirement = "gunicorn==27.0.1"
    has_tls = True
    reload_signal = signal.SIGHUP
    preloads = (False, True)

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "gunicorn", launch, ["--worker-class", "sync"])


class GunicornGthread(GunicornSync):
    """Gunicorn with its threaded worker."""

    name = "gunicorn-gthread"
    title = "Gunicorn gthread"
    has_threads = True

    def command(self, launch: Launch) -> list[str]:
        return _command(self.python, "gunicorn", launch, _gthread(launch))


class GunicornSyncFast(GunicornSync):
    """The same with Gunicorn's parser in C. Its extra `fast` wants gunicorn_h1c 0.6.14 or newer,
    which the package index of this project does not have; the server itself takes 0.4.1 or newer.
    """

    name = "gunicorn-sync-fast"
    title = "Gunicorn sync, fast parser"
    also = ("gunicorn_h1c==0.6.9",)
    environment = "gunicorn-fast"
    variant_of = "gunicorn-sync"

    def version(self) -> str:
        return f"{super().version()} with {' '.join(self.also)}"

    def command(self, launch: Launch) -> list[str]:
        return _fast(super().command(launch))


class GunicornGthreadFast(GunicornSyncFast):
    """Gunicorn's threaded worker with the parser in C."""

    name = "gunicorn-gthread-fast"
    title = "Gunicorn gthread, fast parser"
    has_threads = True
    variant_of = "gunicorn-gthread"

    def command(self, launch: Launch) -> list[str]:
        return _fast(_command(self.python, "gunicorn", launch, _gthread(launch)))


class RgunicornSync(Peer):
    """rgunicorn with sync workers, built from this tree.

    RGUNICORN_PYTHON names an interpreter that already has a (release!) build installed.
    """

    name = "rgunicorn-sync"
    title = "rgunicorn sync"
    is_ours = True
    has_tls = True
    reload_signal = signal.SIGHUP
    preloads = (False, True)
    trained = False
    """Whether it is built with a profile of itself, as releases are."""
    python: Path

    def prepare(self) -> None:
        given = os.environ.get("RGUNICORN_PYTHON")
        if given:
            if self.trained:
                raise BenchError(f"RGUNICORN_PYTHON={given} is a build; --trained would make one")
            self.python = Path(given).absolute()
            self._look()
            return
        if not (REPOSITORY / "python" / "rgunicorn" / "__main__.py").exists():
            raise Unavailable("this tree has no rgunicorn/__main__.py yet")
        self.python = install_tree("rgunicorn", self.trained)

    def _look(self) -> None:
        """What an environment that was made elsewhere has."""
        if installed_version(self.python, "rgunicorn") is None:
            raise Unavailable(f"{self.python} can not import rgunicorn")
        missing = missing_frameworks(self.python)
        if missing:
            self.lacks_frameworks = f"{self.python} has no {' '.join(missing)}"

    def version(self) -> str:
        found = installed_version(self.python, "rgunicorn") or "unknown"
        return f"{found} built with a profile" if self.trained else found

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
        self._look()

    def version(self) -> str:
        return f"{super().version()} in {self.python}"

    def command(self, launch: Launch) -> list[str]:
        return self._like.command(launch)


def _fast(command: list[str]) -> list[str]:
    """`command` with the parser in C; a Gunicorn that can not import it does not start."""
    return [*command[:-1], "--http-parser", "fast", command[-1]]


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
    if launch.certificate:
        command += ["--certfile", str(launch.certificate.chain)]
        command += ["--keyfile", str(launch.certificate.key)]
    if launch.preload:
        command.append("--preload")
    return [*command, "--chdir", str(APPS), launch.app]
