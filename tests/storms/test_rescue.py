"""A worker is killed while it runs a request: everything else that it had goes on elsewhere.

A storm of the same is in `test_kills.py`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import clients_of, descriptors, in_flight, is_at_rest, is_stopped
from harness.wait import until
from harness.wire import Wire, get, post
from rgunicorn.rescue import rescue
from storms.conftest import THREADS, Open, Site

# Where connections are kept, and live in the worker.
KEPT = pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
ALL = pytest.mark.parametrize("kind", kinds.ALL, ids=str)

BODY = b"0123456789" * 10_000
HALF = 50_000


def pid_of(site: Site) -> int:
    (pid,) = site.workers
    return pid


def until_deposited(site: Site, count: int) -> None:
    """Waits until so many descriptors of the only worker lie where they outlive it."""
    pid = pid_of(site)
    until(lambda: in_flight(pid) == count, f"{count} descriptors in the vault", show=site.news)


def until_delivered(wires: list[Wire]) -> None:
    """Waits until all that was sent can be received."""
    until(lambda: all(wire.is_delivered() for wire in wires), "what was sent to be delivered")


@contextlib.contextmanager
def killed_at_work(site: Site, tmp_path: Path, name: str = "runs") -> Iterator[None]:
    """The only worker runs a request meanwhile, and is killed in the end. Only that one is lost."""
    with Wire(site.server.address) as runs:
        fields = (f"X-Id: {name}", f"X-Request-Id: {name}")
        runs.send(get(f"/gate{tmp_path}/{name}", *fields))
        until(lambda: site.ledger.run(name), "it to run", show=site.news)
        yield
        os.kill(pid_of(site), signal.SIGKILL)
        assert runs.is_closed()
    log = site.server.wait_log("Lost request")
    assert log.count("Lost request") == 1 and f"(id: {name}," in log


@KEPT
def test_idle_connections_go_on(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    site = open_site(kind, workers=1)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.server.address)) for _ in range(5)]
        for wire in wires:
            assert wire.send(get("/hello")).response().status == 200
        with killed_at_work(site, tmp_path):
            # In gthread also the one on which the request runs.
            until(lambda: in_flight(pid_of(site)) >= 5, "five in the vault", show=site.news)
        for wire in wires:
            assert wire.send(get("/hello")).response().status == 200
    assert "go on elsewhere: 5" in site.server.wait_log("go on elsewhere")


@ALL
@pytest.mark.parametrize(
    ("cut", "more"),
    ((30, 1000), (200, 1000), (20_000, 1000), (60_000, 10_000), (80_000, 1000)),
    ids=("head", "body", "memory", "from-memory-to-file", "file"),
)
def test_a_request_that_is_being_received_goes_on(
    open_site: Open, kind: Kind, cut: int, more: int, tmp_path: Path
) -> None:
    """Nobody else is there to take it: it goes on in the successor."""
    site = open_site(kind, workers=1)
    raw = post("/echo", BODY, "X-Id: half", "X-Request-Id: half")
    with Wire(site.server.address) as half, Wire(site.server.address) as other:
        half.send(raw[:cut])
        with killed_at_work(site, tmp_path):
            # A connection, and a file if there is much of it; perhaps the one that runs.
            until(lambda: in_flight(pid_of(site)) >= 1 + (cut > 4096), "it", show=site.news)
            # More of it comes while the worker is busy.
            half.send(raw[cut : cut + more])
            until(lambda: site.has_read(half), "the rest to be read", show=site.news)
            until(lambda: is_at_rest(pid_of(site)), "it to be written down", show=site.news)
        half.send(raw[cut + more :])
        assert half.response().body == BODY
        assert other.send(get("/hello")).response().status == 200
    (run,) = [run for run in site.ledger.runs() if run.id == "half"]
    assert run.pid == pid_of(site)


@KEPT
def test_a_request_that_waits_goes_on_and_is_not_named(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    """All threads are busy. The queue between workers would have it after a moment; until then, and
    with what can not travel, the worker has it."""
    site = open_site(kind, workers=1, **({"threads": 1} if kind is kinds.GTHREAD else {}))
    with Wire(site.server.address) as waits:
        assert waits.send(get("/hello")).response().status == 200
        with killed_at_work(site, tmp_path):
            waits.send(get("/hello", "X-Id: waits"))
            until(lambda: site.has_read(waits), "it to be read", show=site.news)
        assert waits.response().status == 200
    assert site.ledger.run("waits").pid == pid_of(site)  # type: ignore[union-attr]


@KEPT
def test_a_crowd_that_is_ready_at_once_goes_on(open_site: Open, kind: Kind) -> None:
    """The poller names all of them together, and calls are short: nobody else is read before the
    request that kills the worker."""
    site = open_site(kind, workers=1)
    pid = pid_of(site)
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(20):
            wires.append(stack.enter_context(Wire(site.server.address)))
            assert wires[-1].send(get("/hello")).response().status == 200
        until(lambda: in_flight(pid) >= 20, "all in the vault", show=site.news)
        until(lambda: is_at_rest(pid), "the last answer to be known", show=site.news)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: is_stopped(pid), "it to stop", show=site.news)
        wires[0].send(get("/die", "X-Request-Id: dies"))
        for wire in wires[1:]:
            wire.send(get("/hello"))
        until_delivered(wires)
        os.kill(pid, signal.SIGCONT)
        assert wires[0].is_closed()
        assert [wire.response().status for wire in wires[1:]] == [200] * 19
    log = site.server.wait_log("Lost request")
    assert log.count("Lost request") == 1 and "(id: dies," in log


@KEPT
@pytest.mark.parametrize("pause", (0, 0.02, 0.05), ids=str)
def test_a_crowd_behind_a_long_call_goes_on(
    open_site: Open, kind: Kind, pause: float, tmp_path: Path
) -> None:
    """What is ready is held when the call begins, and noted when it lasts: who goes on elsewhere
    is not named all the same. `pause`: seconds, for one or the other."""
    site = open_site(kind, workers=1, **({"threads": 1} if kind is kinds.GTHREAD else {}))
    pid = pid_of(site)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.server.address)) for _ in range(6)]
        for wire in wires:
            # Calls are long here, so everybody is read at once.
            assert wire.send(get("/nap/0.01")).response().status == 200
        until_deposited(site, 6)
        os.kill(pid, signal.SIGSTOP)
        wires[0].send(get(f"/gate{tmp_path}/never", "X-Id: runs", "X-Request-Id: runs"))
        for wire in wires[1:]:
            wire.send(get("/hello"))
        until_delivered(wires)
        os.kill(pid, signal.SIGCONT)
        until(lambda: site.ledger.run("runs"), "it to run", show=site.news)
        time.sleep(pause)
        os.kill(pid, signal.SIGKILL)
        assert wires[0].is_closed()
        assert [wire.response().status for wire in wires[1:]] == [200] * 5
    log = site.server.wait_log("Lost request")
    assert log.count("Lost request") == 1 and "(id: runs," in log


@KEPT
def test_nobody_is_starved_by_one_who_always_has_a_request_ready(
    open_site: Open, kind: Kind
) -> None:
    """Pipelined requests are ready at once, the others lie unread."""
    site = open_site(kind, workers=1)
    pid, many = pid_of(site), 200
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.server.address)) for _ in range(4)]
        for wire in wires:
            assert wire.send(get("/hello")).response().status == 200
        os.kill(pid, signal.SIGSTOP)
        until(lambda: is_stopped(pid), "it to stop", show=site.news)
        wires[0].send(b"".join(get("/hello", f"X-Id: piped{i}") for i in range(many)))
        for number, wire in enumerate(wires[1:]):
            wire.send(get("/hello", f"X-Id: single{number}"))
        until_delivered(wires)
        os.kill(pid, signal.SIGCONT)
        for wire in wires[1:]:
            assert wire.response().status == 200
        assert [wires[0].response().status for _ in range(many)] == [200] * many
    order = [run.id for run in sorted(site.ledger.runs(), key=lambda run: run.began) if run.id]
    assert all(order.index(f"single{number}") < many / 2 for number in range(3)), order


@KEPT
def test_connections_that_end_leave_nothing_behind(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    """The worker lives: who is told to close is closed, who leaves is let go."""
    site = open_site(kind, workers=1)
    wires = [Wire(site.server.address) for _ in range(8)]
    for wire in wires:
        assert wire.send(get("/nap/0.01")).response().status == 200
    until_deposited(site, 8)
    for wire in wires[:4]:
        wire.send(get("/hello", "Connection: close"))
        assert wire.response().status == 200
        assert wire.is_closed()
    for wire in wires[4:]:
        wire.close()
    until_deposited(site, 0)


@KEPT
def test_a_socket_that_the_application_takes_is_its_own(open_site: Open, kind: Kind) -> None:
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/nap/0.01")).response().status == 200
        until_deposited(site, 1)
        wire.send(get("/take"))
        assert wire.read_until(b"taken").endswith(b"taken")
        # It has been withdrawn, not ended.
        assert wire.send(b"more").read_until(b"so be it").endswith(b"so be it")
        assert wire.is_closed()
        until_deposited(site, 0)


@KEPT
def test_a_worker_that_leaves_parts_with_its_clients(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/nap/0.01")).response().status == 200
        until_deposited(site, 1)
        before = pid_of(site)
        os.kill(before, signal.SIGTERM)
        assert wire.is_closed()
        site.settle({before})
    assert "go on elsewhere" not in site.stop()


@KEPT
def test_no_descriptor_stays_behind(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """In the master, after kills; and in workers that were forked since."""
    site = open_site(kind, workers=1)
    # It has booted to the end, and has what it opens for its first request.
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
    port = site.server.address[1]
    until(lambda: not clients_of(pid_of(site), port), "the connection to be let go")
    before = len(descriptors(site.master)), len(descriptors(pid_of(site)))
    for _ in range(3):
        pid = pid_of(site)
        with Wire(site.server.address) as wire:
            assert wire.send(get("/nap/0.01")).response().status == 200
            until_deposited(site, 1)
            # It may lie there since before the call: the worker has to hear that its answer is out.
            until(lambda: is_at_rest(pid_of(site)), "it to be held", show=site.news)
            os.kill(pid, signal.SIGKILL)
            site.settle({pid})
            assert wire.send(get("/hello")).response().status == 200
    until(
        lambda: (len(descriptors(site.master)), len(descriptors(pid_of(site)))) == before,
        f"{before} descriptors",
        show=lambda: "\n".join(descriptors(site.master) + descriptors(pid_of(site))),
    )


@KEPT
def test_unix_connections_go_on(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    site = open_site(kind, workers=1, transport="unix")
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        with killed_at_work(site, tmp_path):
            until(lambda: in_flight(pid_of(site)) >= 1, "it in the vault", show=site.news)
        assert wire.send(get("/hello")).response().status == 200


def test_who_says_no_more_is_served_all_the_same(open_site: Open, tmp_path: Path) -> None:
    """A client that has ended its side and waits for the answer of a request that waits."""
    site = open_site(kinds.SYNC, workers=1)
    with Wire(site.server.address) as waits:
        with killed_at_work(site, tmp_path):
            waits.send(get("/hello", "X-Id: waits")).sock.shutdown(socket.SHUT_WR)
        assert waits.response().status == 200


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        ((2, 0, []), logging.INFO, "Connections of worker (pid:7) that go on elsewhere: 2"),
        ((0, 3, []), logging.WARNING, "Connections of worker (pid:7) closed for want of room: 3"),
        (
            (0, 0, ["b", "a", "b"]),
            logging.WARNING,
            "Connections of worker (pid:7) closed between two requests: 3 (from: a, b)",
        ),
        (
            (0, 0, [str(number) for number in range(9)]),
            logging.WARNING,
            "Connections of worker (pid:7) closed between two requests: 9 (from: "
            "0, 1, 2, 3, 4, 5, 6, 7, ...)",
        ),
        (
            OSError(24, "Too many open files"),
            logging.ERROR,
            "Connections of worker (pid:7) could not be rescued: [Errno 24] Too many open files",
        ),
    ],
)
def test_what_the_master_says(
    caplog: pytest.LogCaptureFixture, found: Any, level: int, words: str
) -> None:
    """The vault is a stand-in: a full queue, a master without descriptors are hard to come by."""

    def taken_out(flights: object, blameless: bool, listeners: object) -> Any:
        if isinstance(found, OSError):
            raise found
        return found

    worker: Any = SimpleNamespace(
        pid=7,
        aborted=False,
        killed=False,
        sockets=[],
        blackbox=SimpleNamespace(vault=SimpleNamespace(rescue=taken_out), flights=None),
    )
    log: Any = logging.getLogger("rescue")
    with caplog.at_level(logging.INFO):
        rescue(log, worker, None, signal.SIGKILL)
    assert [(it.levelno, it.getMessage()) for it in caplog.records] == [(level, words)]


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_who_had_no_room_between_two_requests_is_told_of(open_site: Open, kind: Kind) -> None:
    """Whether his next one was on its way nobody knows."""
    site = open_site(kind, workers=1)
    (pid,) = site.workers
    with contextlib.ExitStack() as stack:
        # More than a vault has room for, and not more than that and the lobby have.
        for _ in range(80):
            wire = stack.enter_context(Wire(site.server.address))
            assert wire.send(get("/hello")).response().status == 200
        until(lambda: is_at_rest(pid), "the worker to wait", show=site.news)
        os.kill(pid, signal.SIGKILL)
        log = site.server.wait_log("closed between two requests")
    moved, closed = (
        re.search(words, log)
        for words in (r"go on elsewhere: (\d+)", r"two requests: (\d+) \(from")
    )
    # A thread that is done gives a connection back when somebody looks.
    assert moved and closed and 80 - THREADS <= int(moved[1]) + int(closed[1]) <= 80
    assert "(from: 127.0.0.1)" in log and "Lost request" not in log


@ALL
def test_an_idle_worker_has_nothing_that_a_kill_would_take(open_site: Open, kind: Kind) -> None:
    """Short calls pay for few deposits. A worker that waits has the time for them all the same."""
    site = open_site(kind, workers=1)
    raw = post("/echo", BODY)
    with contextlib.ExitStack() as stack:

        def come() -> list[Wire]:
            return [stack.enter_context(Wire(site.server.address)) for _ in range(5)]

        wires = come()
        for _ in range(10):
            half_way(site, wires, raw)
            for wire in wires:
                assert wire.send(raw[HALF:]).response().status == 200
            wires = wires if kind.keeps_alive else come()
        half_way(site, wires, raw)
        # Each with a file.
        until(lambda: in_flight(pid_of(site)) >= 10, "all to lie in the vault", show=site.news)
        os.kill(pid_of(site), signal.SIGKILL)
        for wire in wires:
            assert wire.send(raw[HALF:]).response().body == BODY
    assert "Lost request" not in site.log()


def half_way(site: Site, wires: list[Wire], raw: bytes) -> None:
    """Half of a large request has come from each, which is not cheap to deposit."""
    for wire in wires:
        wire.send(raw[:HALF])
    until(lambda: all(site.has_read(wire) for wire in wires), "all to be read", show=site.news)


@pytest.mark.parametrize(
    ("sig", "aborted", "killed", "blameless"),
    (
        (signal.SIGKILL, False, False, True),
        (signal.SIGSEGV, False, False, False),
        (None, False, False, False),
        (signal.SIGKILL, True, False, False),
        (signal.SIGKILL, False, True, False),
    ),
)
def test_what_may_have_ended_a_worker_is_not_passed_on(
    sig: int | None, aborted: bool, killed: bool, blameless: bool
) -> None:
    """A request that was being received, when the worker crashed or hung."""
    asked = []

    def taken_out(flights: object, blameless: bool, listeners: object) -> Any:
        asked.append(blameless)
        return 0, 0, []

    box = SimpleNamespace(vault=SimpleNamespace(rescue=taken_out), flights=None)
    worker: Any = SimpleNamespace(pid=7, aborted=aborted, killed=killed, sockets=[], blackbox=box)
    log: Any = logging.getLogger("rescue")
    rescue(log, worker, None, sig)
    assert asked == [blameless]
