"""A worker is killed inside a system call that has been done, and does not know yet.

strace keeps it there: it delays the return of the system call, by its own timer.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.proc import in_flight, is_at_rest, is_stopped
from harness.wait import until
from harness.wire import Wire, get
from storms.conftest import Site
from storms.delay import delayed

# Longer than any of these tests waits, microseconds.
DELAY = 100_000_000

# What strace shows of what has come, or of who.
DONE = re.compile(r'"[^"]')
# What it shows when something is out: what is to be sent is shown before it is.
SENT = re.compile(r"\) = [1-9]")

HELLO = get("/hello")

Send = Callable[[], object]


def kill_inside(
    site: Site,
    trace: Path,
    send: Send,
    call: str = "recvfrom",
    done: re.Pattern[str] = DONE,
    nth: int = 1,
) -> None:
    """Kills the only worker inside the `nth` system call `call` after `send`, when it has been
    done, which strace shows as `done`."""
    (pid,) = site.workers
    # Nobody else is: who has looked whether it serves may have to be seen off.
    until(lambda: is_at_rest(pid), "the worker to wait", show=site.news)
    # So that all of it is there at its first recv(2).
    os.kill(pid, signal.SIGSTOP)
    until(lambda: is_stopped(pid), "it to stop", show=site.news)
    send()
    with delayed([pid], call, f"delay_exit={DELAY}:when={nth}", trace):
        try:
            os.kill(pid, signal.SIGCONT)
            until(lambda: done.search(trace.read_text()), "it to be done", show=site.news)
        finally:
            # Before strace lets go of it, or it would come back.
            os.kill(pid, signal.SIGKILL)


def until_deposited(site: Site) -> None:
    (pid,) = site.workers
    until(lambda: in_flight(pid) == 1, "it to be in the vault", show=site.news)
    until(lambda: is_at_rest(pid), "the worker to wait", show=site.news)


@contextlib.contextmanager
def newcomer(
    site: Site,
    trace: Path,
    call: str,
    done: re.Pattern[str] = DONE,
    nth: int = 1,
    raw: bytes = HELLO,
) -> Iterator[Wire]:
    """Somebody who has come, and said `raw`, when the worker is killed: as `kill_inside`."""
    wires: list[Wire] = []

    def come() -> None:
        wires.append(Wire(site.server.address))
        wires[0].send(raw)

    try:
        kill_inside(site, trace, come, call, done, nth)
        yield wires[0]
    finally:
        for wire in wires:
            wire.close()


def named(site: Site, words: str) -> None:
    """It is, once, and has an access line; the successor serves."""
    log = site.server.wait_log("Lost request")
    (line,) = [line for line in log.splitlines() if "Lost request" in line]
    assert f"Lost request: {words} (from: 127.0.0.1, " in line
    assert "phase: not begun" in line and line.endswith("was killed by SIGKILL")
    site.settle()
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
    assert site.log().count("Lost request") == 1
