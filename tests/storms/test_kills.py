"""SIGKILL to workers under constant load: what is lost is what they had in their hands, no more.

A worker is stopped (SIGSTOP) before it is killed, so that it can be looked at: which connections it
has, and which requests run in it.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import clients_of, is_at_rest, is_stopped, was_waiting
from harness.traffic import Failure, Traffic, traffic
from harness.wait import until
from harness.wire import Wire, ask, get, post
from storms.conftest import Open, Site

KILLS = int(os.environ.get("STORM_KILLS", "10"))
# Also with `sync_keepalive`, unless another worker class is under test.
STORMY_AND_KEPT = kinds.ALL if kinds.STORMY == (kinds.SYNC, kinds.GTHREAD) else kinds.STORMY


@dataclass(frozen=True)
class Kill:
    """A worker that was killed."""

    pid: int
    at: float
    """When it was stopped: CLOCK_MONOTONIC, seconds."""
    ports: set[int]
    """Of its clients."""


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


def kill_one(site: Site, clients: Traffic, idle: bool) -> Kill:
    """Kills a worker that has nothing to do, or one that runs a request."""
    dice = random.Random(time.monotonic_ns())
    for _ in range(2000):
        pid = dice.choice(site.workers)
        at = time.monotonic()
        with stopped(site, pid) as ports:
            running = running_in(site, pid)
            # One who has not been served yet may have sent a request.
            busy = bool(running) or bool(ports & clients.fresh_ports()) or not was_waiting(pid)
            if busy != idle and (idle or running):
                os.kill(pid, signal.SIGKILL)
                return Kill(pid, at, ports)
        time.sleep(0.002)
    raise AssertionError(f"no {'idle' if idle else 'busy'} worker\n{site.news()}")


@pytest.mark.parametrize("kind", STORMY_AND_KEPT, ids=str)
def test_idle_workers(open_site: Open, kind: Kind) -> None:
    """Nobody notices."""
    site = open_site(kind, workers=3)
    with traffic(site.server.address) as clients:
        for _ in range(KILLS):
            site.settle({kill_one(site, clients, idle=True).pid})
            clients.wait_answers(10)
    print(clients.report())
    assert not (lost := Lost.of(site, clients)).not_begun, f"{lost}\n{clients.report()}"


@dataclass(frozen=True)
class Lost:
    """The requests that failed."""

    begun: list[Failure]
    """The application had begun with them; or the worker had, and had told where others see it."""
    behind: list[Failure]
    """The one before on the same connection had not ended: the client had its answer, and its
    worker had still to be told by the kernel that it was sent."""
    not_begun: list[Failure]
    """Nobody had."""

    @classmethod
    def of(cls, site: Site, clients: Traffic) -> Lost:
        named = set(re.findall(r"\(id: ([^,]+),[^)]*, phase: (?:in|sending)", site.log()))
        # Hooks, and what the server does itself before the application has its turn.
        begun = {run.id for run in site.ledger.runs()} | named
        failures = [failure for failure in clients.failures if failure.id not in begun]
        return cls(
            [failure for failure in clients.failures if failure.id in begun],
            [failure for failure in failures if before(failure) in named],
            [failure for failure in failures if before(failure) not in named],
        )


def before(failure: Failure) -> str:
    """Id of the request that was answered before on the same connection, if there was one."""
    name, _, number = failure.id.rpartition("-")
    return f"{name}-{int(number) - 1}" if failure.before else ""


@pytest.mark.parametrize("kind", STORMY_AND_KEPT, ids=str)
def test_busy_workers(open_site: Open, kind: Kind) -> None:
    """Those fail who had their request in one of them, and each is named. Nobody else does: not who
    waits, is sending, or keeps a connection; but for one at most that was met in one of the moments
    in which nobody else knows of it (dispatch.md, "What remains"), and that one is named, too."""
    site = open_site(kind, workers=3)
    kills: list[Kill] = []
    manners = ("closing", "prompt", "kept", "pausing", "uploading", "napping", "napping")
    with traffic(site.server.address, manners) as clients:
        for _ in range(KILLS):
            kills.append(kill_one(site, clients, idle=False))
            site.settle({kills[-1].pid})
            clients.wait_answers(10)
    pids = {run.id: run.pid for run in site.ledger.runs()}
    log = site.server.wait_log("was sent SIGKILL", len(kills))
    lost = Lost.of(site, clients)
    print(clients.report())
    print(f"{len(lost.begun)} had begun, {len(lost.behind)} behind; {lost.not_begun}")
    for failure in clients.failures:
        assert failure.kind in ("silent", "cut"), failure
        assert failure.port in set().union(*(kill.ports for kill in kills)), failure
    assert lost.begun, "no running request was hit"
    for failure in lost.begun:
        assert pids.get(failure.id) in {None, *(kill.pid for kill in kills)}, failure
        assert f"(id: {failure.id}," in log, failure
    assert len(lost.not_begun) <= 1, lost
    for failure in lost.not_begun:
        in_hand = re.escape(f"(id: {failure.id},") + "[^)]*, phase: not begun"
        assert re.search(f"{in_hand}|one that nobody had read yet \\(from: ", log), failure


@pytest.mark.parametrize("kind", (kinds.SYNC, kinds.SYNC_KEPT), ids=str)
def test_who_has_not_spoken_is_served_by_the_successor(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1)
    (pid,) = site.workers
    port = site.server.address[1]
    with Wire(site.server.address) as silent, Wire(site.server.address) as runs:
        own = silent.sock.getsockname()[1]
        until(lambda: own in clients_of(pid, port), "it to be let in", show=site.news)
        runs.send(get(f"/gate{tmp_path}/gate", "X-Id: runs", "X-Request-Id: runs"))
        until(lambda: site.ledger.run("runs"), "the other to run", show=site.news)
        assert own not in clients_of(pid, port)
        os.kill(pid, signal.SIGKILL)
        assert silent.send(get("/hello", "X-Id: silent")).response().status == 200
        assert runs.is_closed()
    assert "(id: runs," in site.server.wait_log("Lost request")
    assert site.log().count("Lost request") == 1


def test_what_was_received_in_part_goes_on_at_an_idle_sibling(
    open_site: Open, tmp_path: Path
) -> None:
    site = open_site(kinds.SYNC, workers=2)
    # Who has been under way for a second stays where he is: the machine may have been too slow.
    assert any(goes_on_at_a_sibling(site, tmp_path / str(number)) for number in range(5))


def goes_on_at_a_sibling(site: Site, gate: Path) -> bool:
    """Whether an upload is given to an idle sibling, and goes on there, before its worker runs
    a request, in which it is killed."""
    port = site.server.address[1]
    body = b"0123456789" * 5000
    head, rest = post("/echo", body)[:30], post("/echo", body)[30:]
    with contextlib.ExitStack() as stack:
        upload = stack.enter_context(Wire(site.server.address))
        upload.send(head)
        own = upload.sock.getsockname()[1]

        def owner() -> int | None:
            return next((pid for pid in site.workers if own in clients_of(pid, port)), None)

        pid = until(owner, "it to be let in", show=site.news)
        (other,) = set(site.workers) - {pid}
        # It says that it waits: not in the middle of something.
        until(lambda: is_at_rest(other), "the sibling to wait", show=site.news)
        with stopped(site, other):
            # Not before: the other might have let it in.
            runs = stack.enter_context(Wire(site.server.address))
            runs.send(get(f"/gate{gate}", f"X-Id: {gate.name}"))
            until(lambda: site.ledger.run(gate.name), "the other to run", show=site.news)
            if own in clients_of(pid, port):
                gate.touch()
                return False
        upload.send(rest[:20000])
        until(lambda: own in clients_of(other, port), "the sibling to take it", show=site.news)
        os.kill(pid, signal.SIGKILL)
        assert upload.send(rest[20000:]).response().body == body
        return True


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_request_that_is_being_received_is_named(open_site: Open, kind: Kind) -> None:
    """Where it can not go on elsewhere: nobody else could read what is encrypted."""
    site = open_site(kind, workers=1, transport="tls", accesslog="-")
    (pid,) = site.workers
    raw = post("/echo", b"x" * 10, "X-Request-Id: half", "Expect: 100-continue")
    with Wire(site.server.address).send(raw[:-10]) as wire:
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        # The worker waits for the rest: it has done something else meanwhile.
        assert ask(site.server.address, get("/hello")).status == 200
        os.kill(pid, signal.SIGKILL)
    log = site.server.wait_log("was sent SIGKILL")
    assert "Lost request: POST /echo (id: half, from: 127.0.0.1, " in log
    assert "phase: not begun" in log
    assert '"POST /echo HTTP/1.1" 500 ' in log


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_response_that_is_being_taken_slowly_is_named(open_site: Open, kind: Kind) -> None:
    """No thread has it any more, and its access line is written; but it is cut."""
    site = open_site(kind, workers=1, accesslog="-")
    (pid,) = site.workers
    body = b"x" * 8_000_000
    with Wire(site.server.address) as slow, Wire(site.server.address) as fast:
        slow.send(post("/echo", body, "X-Id: slow", "X-Request-Id: slow"))
        slow.read_until(b"\r\n\r\n")
        fast.send(post("/echo", body, "X-Id: fast", "X-Request-Id: fast"))
        assert fast.response().body == body
        # The worker has done something else meanwhile.
        assert ask(site.server.address, get("/hello")).status == 200
        os.kill(pid, signal.SIGKILL)
        assert len(slow.read_to_close()) < len(body)
    site.settle({pid})
    log = site.server.wait_log("Lost request")
    assert log.count("Lost request") == 1, log
    assert "Lost request: POST /echo (id: slow, from: 127.0.0.1, " in log
    assert "phase: its client was being sent the rest of the response" in log
    assert log.count('"POST /echo HTTP/1.1" 200 8000000') == 2, log
