"""The servers: how each is installed and started. A new peer is one small class here.

Everyone gets the settings its own documentation recommends for a plain production start, on the
same app, and nothing that changes what the app can see.
"""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from loadbench.errors import Unavailable
from loadbench.install import build_responder, install, install_tree, installed_version
from loadbench.paths import APPS, REPOSITORY

_APP = "hello:app"
_BACKLOG = "2048"


@dataclass(frozen=True)
class Launch:
    """How a server is to be started for one measurement."""

    port: int
    workers: int = 1
    access_log: Path | None = None


class Peer(ABC):
    """One server, or one way to configure it."""

    name: str
    """Short and unique: the word on the command line and in the JSON."""
    title: str
    stop_signal = signal.SIGTERM
    has_access_log = True
    has_workers = True
    """Whether it can run 4 workers, so that its memory can be compared."""
    variant_of: str | None = None
    """Name of the peer whose boot time and memory it shares: neither is measured again."""

    @abstractmethod
    def prepare(self) -> None:
        """Installs or builds it. Raises Unavailable when that is not possible here."""

    @abstractmethod
    def version(self) -> str:
        """Version as installed, after prepare()."""

    @abstractmethod
    def command(self, launch: Launch) -> list[str]:
        """The argument vector; run with benches/load/apps as working directory."""


class Responder(Peer):
    """The floor: an epoll loop in Rust with a fixed answer and no Python."""

    name = "responder"
    title = "responder (no Python)"
    has_access_log = False
    has_workers = False

    def prepare(self) -> None:
        self._program = build_responder()

    def version(self) -> str:
        return "this tree"

    def command(self, launch: Launch) -> list[str]:
        return [str(self._program), str(launch.port)]


class FromPyPI(Peer):
    """A server installed from PyPI into an environment of its own."""

    requirement: str

    def prepare(self) -> None:
        self.python = install(self.requirement.partition("==")[0], self.requirement)

    def version(self) -> str:
        return self.requirement.partition("==")[2]


class GunicornSync(FromPyPI):
    """Gunicorn with sync workers. It closes every connection, whatever the client asks for."""

    name = "gunicorn-sync"
    title = "Gunicorn sync"
    requirement = "gunicorn==27.0.1"

    def command(self, launch: Launch) -> list[str]:
        return _gunicorn_command(self.python, "gunicorn", launch)


class RgunicornSync(Peer):
    """rgunicorn with sync workers, built from this tree.

    RGUNICORN_PYTHON names an interpreter that already has a (release!) build installed.
    """

    name = "rgunicorn-sync"
    title = "rgunicorn sync"

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
        return _gunicorn_command(self.python, "rgunicorn", launch)


class RgunicornSyncKeepalive(RgunicornSync):
    """The same with kept-alive connections switched on."""

    name = "rgunicorn-sync-ka"
    title = "rgunicorn sync, --sync-keepalive"
    variant_of = "rgunicorn-sync"

    def command(self, launch: Launch) -> list[str]:
        return [*super().command(launch), "--sync-keepalive"]


class FastPySGI(FromPyPI):
    """FastPySGI: libuv and C, one thread, the app called on the loop."""

    name = "fastpysgi"
    title = "FastPySGI"
    requirement = "fastpysgi==0.6"
    # SIGTERM ends only its parent process and orphans the workers.
    stop_signal = signal.SIGINT
    has_access_log = False

    def command(self, launch: Launch) -> list[str]:
        return [str(self.python), "serve_fastpysgi.py", str(launch.port), str(launch.workers)]


class Uwsgi(FromPyPI):
    """uWSGI's own HTTP socket in the worker, without the separate HTTP router process.

    `--http-socket` always closes. Its keep-alive twin `--http11-socket` is no peer for one worker:
    the worker stays with one connection until that ends while the other clients wait.
    """

    name = "uwsgi"
    title = "uWSGI --http-socket"
    requirement = "uwsgi==2.0.31"

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python.with_name("uwsgi")), "--die-on-term", "--need-app", "--master"]
        command += ["--virtualenv", str(self.python.parent.parent), "--module", _APP]
        command += ["--processes", str(launch.workers), "--listen", _BACKLOG]
        command += ["--http-socket", f"127.0.0.1:{launch.port}"]
        # It closes without saying so, which wrk would count as a broken connection.
        command += ["--add-header", "Connection: close"]
        if launch.access_log:
            return [*command, "--logto", str(launch.access_log)]
        return [*command, "--disable-logging"]


class Bjoern(FromPyPI):
    """bjoern: libev and C, one thread, the app called on the loop. Needs libev's headers."""

    name = "bjoern"
    title = "bjoern"
    requirement = "bjoern==3.2.2"
    stop_signal = signal.SIGINT
    has_access_log = False

    def command(self, launch: Launch) -> list[str]:
        return [str(self.python), "serve_bjoern.py", str(launch.port), str(launch.workers)]


def all_peers() -> list[Peer]:
    """Every server the harness knows, in the order of the tables."""
    return [
        Responder(),
        RgunicornSync(),
        RgunicornSyncKeepalive(),
        GunicornSync(),
        Uwsgi(),
        FastPySGI(),
        Bjoern(),
    ]


def _gunicorn_command(python: Path, module: str, launch: Launch) -> list[str]:
    command = [str(python), "-m", module, "--workers", str(launch.workers)]
    command += ["--worker-class", "sync", "--bind", f"127.0.0.1:{launch.port}"]
    command += ["--backlog", _BACKLOG]
    if launch.access_log:
        command += ["--access-logfile", str(launch.access_log)]
    return [*command, "--chdir", str(APPS), _APP]
