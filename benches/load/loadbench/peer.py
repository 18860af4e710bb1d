"""What a server is to the harness: how it is installed, started and stopped."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from loadbench.install import install
from loadbench.tls import Certificate

BACKLOG = "2048"


@dataclass(frozen=True)
class Launch:
    """How a server is to be started for one measurement."""

    port: int
    app: str = "hello:app"
    workers: int = 1
    threads: int = 4
    """Threads that call the application, per worker; only for peers with `has_threads`."""
    access_log: Path | None = None
    connections: int | None = None
    """Connections that are to be held open idle for a minute; None leaves the server's default."""
    certificate: Certificate | None = None
    """Speak TLS with it; only for peers with `has_tls`."""
    preload: bool | None = None
    """Import the application before the fork or after; only what `preloads` lists."""


class Peer(ABC):
    """One server, or one way to configure it."""

    name: str
    """Short and unique: the word on the command line and in the JSON."""
    title: str
    stop_signal = signal.SIGTERM
    has_access_log = True
    has_tls = False
    has_workers = True
    """Whether it can run 4 workers."""
    has_threads = False
    """Whether it calls the application in as many threads as it is told to."""
    is_ours = False
    reload_signal: signal.Signals | None = None
    """What makes its first process reload the application while it serves."""
    preloads: tuple[bool, ...] = ()
    """Which it can with several workers: import the application after the fork, before it."""
    lacks_frameworks: str | None = None
    """Why its environment can not run the applications in Flask and Django."""
    is_floor = False
    """Whether it has one fixed answer and no application."""
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


class FromPyPI(Peer):
    """A server installed from PyPI into an environment of its own."""

    requirement: str
    also: tuple[str, ...] = ()
    """What is installed with it, and pip does not know of."""
    environment: str | None = None
    """Name of the environment, where the requirement's would be another one's."""

    def prepare(self) -> None:
        name = self.environment or self.requirement.partition("==")[0]
        self.python = install(name, self.requirement, *self.also)

    def version(self) -> str:
        return self.requirement.partition("==")[2]
