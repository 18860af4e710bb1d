"""What is done to the server. Each is a class with a name, and with the outcomes of requests that
it excuses; whoever is not excused must have been answered.

`silent` and `cut`: see `clients.Request`. `race`: silence on a connection that had been answered on
before, which the server has just closed for good reason (RFC 9112, 9.3.1). `unnoted`: answered, but
its worker had no time to note it.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from chaos.clients import Gate
from chaos.site import Site
from chaos.timeline import Timeline
from harness.wait import until

LOST = frozenset({"silent", "cut", "race"})
"""What the kill of a worker costs."""
UNNOTED = frozenset({"unnoted"})
"""What a worker may take with it that dies at any instant."""
CLOSED = frozenset({"race"})
NO_ROOM = frozenset({"500", "cut"})
"""An upload that can not be kept is answered 500; a response that can not be kept breaks off."""


class Disturbance:
    """Something that happens for a while.

    Args:
        site: to whom.
        timeline: where it is noted.
        dice: decide how hard and how long.
        gate: ends it early when there will be nothing more to do.
    """

    name = ""
    excuses: frozenset[str] = frozenset()
    longest = 2.5
    """Seconds."""

    def __init__(self, site: Site, timeline: Timeline, dice: random.Random, gate: Gate) -> None:
        self.site = site
        self.timeline = timeline
        self.dice = dice
        self.gate = gate

    def happen(self) -> None:
        """Once, from begin to end."""
        raise NotImplementedError

    def last(self) -> None:
        """Lets it go on for a while."""
        self.gate.over.wait(self.dice.uniform(0.3, self.longest))

    @contextlib.contextmanager
    def noted(self, what: str) -> Iterator[None]:
        with self.timeline.during(self.name, what, self.excuses):
            yield

    def victim(self) -> int:
        """A worker, or 0 when there is none just now."""
        workers = self.site.workers
        return self.dice.choice(workers) if workers else 0

    def whole(self) -> None:
        """Waits until there are as many workers as there should be."""
        until(lambda: len(self.site.workers) == self.site.count, "workers", 90, self.site.news)


class Kill(Disturbance):
    name = "kill"
    excuses = LOST | UNNOTED

    def happen(self) -> None:
        pids = [self.victim()] if self.dice.random() < 0.8 else self.site.workers
        with self.noted(f"SIGKILL to {pids}"):
            for pid in filter(None, pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.whole()


class StopWorker(Disturbance):
    """It keeps what it has; the others go on."""

    name = "stop-worker"

    def happen(self) -> None:
        pid = self.victim()
        with self.noted(f"SIGSTOP to {pid}"), stopped(pid):
            self.last()


class StopMaster(Disturbance):
    name = "stop-master"

    def happen(self) -> None:
        pid = self.site.server.pid
        with self.noted(f"SIGSTOP to {pid}"), stopped(pid):
            self.last()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGCONT)


class Reload(Disturbance):
    name = "reload"
    excuses = CLOSED

    def happen(self) -> None:
        with self.noted("SIGHUP"):
            self.site.hup()


class Retire(Disturbance):
    """A worker leaves in good order, and another takes its place."""

    name = "retire"
    excuses = CLOSED

    def happen(self) -> None:
        pid = self.victim()
        with self.noted(f"SIGTERM to {pid}"):
            with contextlib.suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGTERM)
            until(lambda: pid not in self.site.workers, "it to leave", 90, self.site.news)
            self.whole()


class Rotate(Disturbance):
    """As logrotate does it."""

    name = "rotate"

    def happen(self) -> None:
        log = self.site.access_path
        turned = log.with_name(f"{log.name}.{self.timeline.ran(self.name) + 1}")
        with self.noted(f"{turned.name}, SIGUSR1"):
            if log.exists():
                log.rename(turned)
            self.site.server.send_signal(signal.SIGUSR1)
            self.last()


class Clock(Disturbance):
    """The wall clock is set; back again at the end."""

    name = "clock"

    def happen(self) -> None:
        seconds = self.dice.choice([-86400, -3600, -5, -0.3, 0.7, 61, 3600, 86400 * 400])
        with self.noted(f"{seconds:+} s"), self.site.faults.wall_clock(seconds):
            self.last()


class Fewer(Disturbance):
    """`ulimit -n` of a worker: the kernel itself says EMFILE."""

    name = "ulimit-n"
    excuses = NO_ROOM

    def happen(self) -> None:
        pid = self.victim()
        room = self.dice.choice([1, 4, 12])
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            limit = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1 + room
            with self.noted(f"{pid}: {limit}"), limited(pid, resource.RLIMIT_NOFILE, limit):
                self.last()


class Memory(Disturbance):
    """`ulimit -v` of a worker: malloc fails. Neither CPython nor Rust can promise to go on; whether
    it dies or raises, it is replaced, or goes on."""

    name = "ulimit-v"
    excuses = LOST | NO_ROOM | UNNOTED

    def happen(self) -> None:
        pid = self.victim()
        room = self.dice.choice([0, 1, 8]) << 20
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + room
            with self.noted(f"{pid}: {room} bytes"), limited(pid, resource.RLIMIT_AS, limit):
                self.last()
            self.whole()


@contextlib.contextmanager
def limited(pid: int, what: int, limit: int) -> Iterator[None]:
    """The process may have no more of it meanwhile."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (limit, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)


class FullSpool(Disturbance):
    """The file system for uploads is full: a small one of its own."""

    name = "full-spool"
    excuses = NO_ROOM

    def happen(self) -> None:
        filler = self.site.filler()
        with self.noted("a file that takes all there is"):
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
            self.last()
            filler.unlink(missing_ok=True)
