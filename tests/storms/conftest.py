"""Servers that are operated while clients are at work."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.kinds import Kind
from harness.ledger import Ledger
from harness.mode import Mode
from harness.server import Server, Spawn, children
from harness.wait import until
from harness.wire import Wire

THREADS = 4


class Site:
    """A server that runs `ledger:app`, whose master may change.

    Args:
        server: as it was started.
        workers: how many of them there should be.
        ledger: where the application writes, if not beside the log.
    """

    def __init__(self, server: Server, workers: int, ledger: Path | None = None) -> None:
        self.server = server
        self.count = workers
        self.master = server.pid
        self.ledger = Ledger(ledger or server.directory / "ledger")
        self.hups = 0
        self.upgrades = 0

    @property
    def workers(self) -> list[int]:
        """Pids of the living workers; a second master is none."""
        return [pid for pid in children(self.master) if not children(pid)]

    @property
    def loaded(self) -> set[int]:
        """Pids of all workers that ever had the application loaded."""
        if self.server.settings.get("preload_app"):
            return {int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log())}
        return self.ledger.loaded()

    def log(self) -> str:
        return self.server.log()

    def has_read(self, wire: Wire) -> bool:
        """Whether the server has taken all that was sent to it there."""
        own, port = wire.sock.getsockname()[1], self.server.address[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, remote, _, queues, *_ = line.split()[1:]
            if int(local.split(":")[1], 16) == port and int(remote.split(":")[1], 16) == own:
                return int(queues.split(":")[1], 16) == 0
        return False

    def news(self) -> str:
        """The end of the log."""
        return "\n".join(self.log().splitlines()[-60:])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.master, number)

    def settle(self, gone: set[int] | None = None) -> set[int]:
        """Waits until as many workers as there should be have loaded the application, and none of
        `gone` is left. Returns their pids."""

        def there() -> bool:
            workers = set(self.workers)
            few = len(workers) == self.count and not workers & (gone or set())
            return few and workers <= self.loaded

        until(there, f"{self.count} workers", 60, show=self.news)
        return set(self.workers)

    def hup(self) -> None:
        """Reloads, and waits until all workers are new ones."""
        before = set(self.workers)
        self.hups += 1
        self.signal(signal.SIGHUP)
        self.server.wait_log("Hang up: Master", self.hups)
        self.settle(before)

    def upgrade(self) -> None:
        """USR2, and TERM to the old master once the new one's workers are ready."""
        listening = self.log().count("Listening at")
        old, before = self.master, set(self.workers)
        self.signal(signal.SIGUSR2)

        def successor() -> int | None:
            pids = re.findall(r"\[(\d+)\] \[INFO\] Listening at", self.log())
            return int(pids[-1]) if len(pids) > listening else None

        self.master = until(successor, "the new master", show=self.news)
        self.settle()
        os.kill(old, signal.SIGTERM)
        if old == self.server.pid:
            assert self.server.wait_exit() == 0, self.news()
        until(lambda: ended(old), "the old master to leave", 60, show=self.news)
        left = {pid for pid in before if not ended(pid)}
        assert not left, f"{left} outlived their master\n{self.news()}"
        self.upgrades += 1
        self.server.wait_log("Master has been promoted", self.upgrades)

    def stop(self) -> str:
        """Ends the server; its log, in which nobody complained."""
        os.kill(self.master, signal.SIGTERM)
        until(lambda: ended(self.master), "the master to leave", 60, show=self.news)
        log = self.log()
        for complaint in ("Traceback", "panicked", "Exception", "CRITICAL"):
            assert complaint not in log, log[-8000:]
        return log


def ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for its parent to ask."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


Open = Callable[..., Site]
"""`open_site(kind, workers=2, transport="tcp", config="", **settings)`."""


@pytest.fixture
def open_site(spawn: Spawn) -> Iterator[Open]:
    """Starts sites that end with the test, whoever their master is by then."""
    sites: list[Site] = []

    def start(
        kind: Kind,
        workers: int = 2,
        transport: str = "tcp",
        config: str = "",
        **settings: object,
    ) -> Site:
        threads = {"threads": THREADS} if kind.name == "gthread" else {}
        all_settings = {**kind.settings, **threads, "workers": workers, **settings}
        env = {"LEDGER": "ledger"}
        server = spawn(
            "ledger:app",
            Mode(transport=transport),
            ready=False,
            settings=all_settings,
            config=config,
            env=env,
        )
        site = Site(server, workers)
        sites.append(site)
        server.wait_ready(workers)
        site.settle()
        return site

    yield start
    for site in sites:
        if site.master != site.server.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(site.master, signal.SIGTERM)
            until(lambda site=site: ended(site.master), "the last master to leave", 30)
