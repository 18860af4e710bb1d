"""SIGKILL to workers under constant load: what is lost is what they had in their hands, no more.

A worker is stopped (SIGSTOP) before it is killed, so that it can be looked at: which connections it
has, and which requests run in it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import clients_of, is_stopped
from harness.traffic import Traffic, traffic
from harness.wait import until
from storms.conftest import Open, Site

KILLS = 10


@contextlib.contextmanager
def stopped(site: Site, pid: int) -> Iterator[set[int]]:
    """The worker `pid` does nothing meanwhile; the ports of its clients."""
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: is_stopped(pid), f"{pid} to stop", show=site.news)
        yield clients_of(pid, site.server.address[1])  # type: ignore[arg-type]
    finally:
        # Killed meanwhile, perhaps.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def running_in(site: Site, pid: int) -> set[str]:
    """Ids of the requests that the application has begun in `pid` and not ended."""
    runs = site.ledger.runs()
    return {run.id for run in runs if run.pid == pid and run.ended == float("inf")}


def kill_one(site: Site, clients: Traffic, idle: bool) -> tuple[int, set[int]]:
    """Kills a worker that has nothing to do, or one that runs a request: its pid, the ports of its
    clients."""
    dice = random.Random(time.monotonic_ns())
    for _ in range(2000):
        pid = dice.choice(site.workers)
        with stopped(site, pid) as ports:
            running = running_in(site, pid)
            # One who has not been served yet may have sent a request.
            busy = bool(running) or bool(ports & clients.fresh_ports())
            if busy != idle and (idle or running):
                os.kill(pid, signal.SIGKILL)
                return pid, ports
        time.sleep(0.002)
    raise AssertionError(f"no {'idle' if idle else 'busy'} worker\n{site.news()}")


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
def test_idle_workers(open_site: Open, kind: Kind) -> None:
    """Nobody notices, but those who kept a connection: they find it closed, or are just sending."""
    site = open_site(kind, workers=3)
    with traffic(site.server.address) as clients:
        for _ in range(KILLS):
            pid, _ = kill_one(site, clients, idle=True)
            site.settle({pid})
            clients.wait_answers(10)
    print(clients.report())
    assert all(failure.is_race for failure in clients.failures), clients.report()
    begun = {run.id for run in site.ledger.runs()}
    assert not begun & {failure.id for failure in clients.failures}, clients.report()
    if not kind.keeps_alive:
        clients.assert_nothing_failed()


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
def test_busy_workers(open_site: Open, kind: Kind) -> None:
    """Those fail who had their request in one of them."""
    site = open_site(kind, workers=3)
    killed: set[int] = set()
    ports: set[int] = set()
    manners = ("closing", "kept", "pausing", "uploading", "napping", "napping")
    with traffic(site.server.address, manners) as clients:
        for _ in range(KILLS):
            pid, theirs = kill_one(site, clients, idle=False)
            killed.add(pid)
            ports |= theirs
            site.settle({pid})
            clients.wait_answers(10)
    failed = {failure.id: failure for failure in clients.failures}
    pids = {run.id: run.pid for run in site.ledger.runs()}
    print(clients.report())
    print(f"not begun: {sorted(set(failed) - set(pids))}")
    log = site.server.wait_log("was sent SIGKILL", len(killed))
    assert set(failed) & set(pids), "no running request was hit"
    for failure in failed.values():
        assert failure.kind in ("silent", "cut"), failure
        assert failure.port in ports, failure
        if failure.id in pids:
            assert pids[failure.id] in killed, failure
            assert f"(id: {failure.id}," in log, failure
