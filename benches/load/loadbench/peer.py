"""What a server is to the harness: how it is installed, started and stopped."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from loadbench.install import install

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


class Peer(ABC):
    """One server, or one way to configure it."""

    name: str
    """Short and unique: the word on the command line and in the JSON."""
    title: str
    stop_signal = signal.SIGTERM
    has_access_log = True
    has_workers = True
    """Whether it can run 4 workers, so that its memory can be compared."""
    has_threads = False
    """Whether it calls the application in as many threads as it is told to."""
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
    """What it imports and does not say so to pip."""

    def prepare(self) -> None:
        self.python = install(self.requirement.partition("==")[0], self.requirement, *self.also)

    def version(self) -> str:
        return self.requirement.partition("==")[2]
