"""With `worker_keeper` a kill costs not even who is just being let in, or read."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import is_at_rest
from harness.server import keepers
from harness.shift import worker
from harness.traffic import traffic
from harness.wait import until
from harness.wire import Wire, get, post
from storms.conftest import Open, Site
from storms.delay import delayed
from storms.inside import DELAY, named, newcomer
from storms.test_kills import KILLS, Lost

HELLO = get("/hello", "X-Id: goes-on")

KEPT_ONLY = pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
ALL = pytest.mark.parametrize("kind", kinds.ALL, ids=str)
BOTH = pytest.mark.parametrize("transport", ("tcp", "unix"))

# Who has come, as strace shows it.
CAME = re.compile("AF_UNIX|sin_port|sin6_port")


def upload(length: int) -> bytes:
    return post("/echo", b"x" * length, "X-Id: goes-on")


def keepers_of(site: Site) -> list[int]:
    return [pid for worker in site.workers for pid in keepers(worker)]


def until_gone(pids: list[int]) -> None:
    for pid in pids:
        comm = Path(f"/proc/{pid}/status")

        def ended(comm: Path = comm) -> bool:
            return not comm.exists() or "\nState:\tZ" in comm.read_text()

        until(ended, f"the keeper {pid} to end")


@ALL
@BOTH
def test_who_is_let_in_goes_on(open_site: Open, kind: Kind, transport: str, tmp_path: Path) -> None:
    """Killed inside accept4(2)."""
    site = open_site(kind, workers=1, transport=transport, worker_keeper=True)
    kept = keepers_of(site)
    assert len(kept) == 1
    with newcomer(site, tmp_path / "trace", "accept4", CAME) as wire:
        assert wire.response().status == 200
    until_gone(kept)
    assert "go on elsewhere: 1" in site.log()
    assert "Lost request" not in site.log()


@ALL
@BOTH
@pytest.mark.parametrize("others", (0, 3))
def test_who_is_read_goes_on(
    open_site: Open, kind: Kind, transport: str, others: int, tmp_path: Path
) -> None:
    """Killed inside recv(2) of a connection that is nowhere else; beside some that are."""
    site = open_site(kind, workers=1, transport=transport, worker_keeper=True)
    address = site.server.address
    silent = [Wire(address) for _ in range(others)]
    raw = get("/hello?q", "X-Id: goes-on")
    with newcomer(site, tmp_path / "trace", "recvmmsg", raw=raw) as wire:
        assert wire.response().status == 200
        for each in silent:
            assert each.send(get("/hello")).response().status == 200
            each.close()
    assert [run.id for run in site.ledger.runs()].count("goes-on") == 1
    assert "Lost request" not in site.log()


@ALL
def test_where_nobody_is_let_in_nobody_is_looked_for(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1, worker_keeper=True)
    nobody = re.compile("EAGAIN")
    with newcomer(site, tmp_path / "trace", "accept4", nobody, nth=2) as wire:
        assert wire.response().status == 200
    site.settle()
    assert "Lost request" not in site.log()


@ALL
@BOTH
def test_a_body_that_is_all_there_goes_on(
    open_site: Open, kind: Kind, transport: str, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1, transport=transport, worker_keeper=True)
    raw = post("/echo", b"0123456789", "X-Id: goes-on")
    with newcomer(site, tmp_path / "trace", "recvmmsg", raw=raw) as wire:
        assert wire.response().body == b"0123456789"
    assert [run.id for run in site.ledger.runs()].count("goes-on") == 1
    assert "Lost request" not in site.log()


@ALL
@pytest.mark.parametrize("others", (0, 2))
def test_what_has_begun_does_not_go_on(open_site: Open, kind: Kind, others: int) -> None:
    """No request runs a second time."""
    site = open_site(kind, workers=1, worker_keeper=True)
    silent = [Wire(site.server.address) for _ in range(others)]
    with Wire(site.server.address) as wire:
        wire.send(get("/die", "X-Id: dies"))
        assert wire.is_closed()
    assert "phase: in the application" in site.server.wait_log("Lost request")
    site.settle()
    for each in silent:
        assert each.send(get("/hello")).response().status == 200
        each.close()
    assert [run.id for run in site.ledger.runs()].count("dies") == 1
    assert site.log().count("Lost request") == 1


@ALL
def test_it_ends_with_its_worker(open_site: Open, kind: Kind) -> None:
    site = open_site(kind, worker_keeper=True)
    first = keepers_of(site)
    assert len(first) == len(site.workers)
    site.hup()
    until_gone(first)
    second = keepers_of(site)
    assert len(second) == len(site.workers)
    # What is sent to all processes of a group is not meant for it.
    for pid in second:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            os.kill(pid, number)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
    assert keepers_of(site) == second
    site.stop()
    until_gone(second)


def test_it_ends_with_the_server(open_site: Open) -> None:
    """Killed all at once: the port is free again."""
    site = open_site(kinds.GTHREAD, worker_keeper=True)
    kept, workers = keepers_of(site), site.workers
    for pid in (site.master, *workers):
        os.kill(pid, signal.SIGKILL)
    until_gone(kept)
    with pytest.raises(ConnectionRefusedError):
        Wire(site.server.address)


def test_it_is_no_child_to_the_application(open_site: Open) -> None:
    config = """
import os

def post_worker_init(worker):
    try:
        found = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        found = None
    worker.log.info("children: %s", found)
"""
    site = open_site(kinds.SYNC, workers=1, config=config, worker_keeper=True)
    assert len(keepers_of(site)) == 1
    assert "children: None" in site.server.wait_log("children: ")


def test_an_application_that_closes_what_it_does_not_know(open_site: Open, tmp_path: Path) -> None:
    """The keeper's line, too: what has its number then is not touched, and all is as without."""
    config = """
import os, socket

def post_worker_init(worker):
    kept = [fd for fd in range(3, 200) if is_line(fd)]
    assert kept
    for fd in kept:
        os.close(fd)
    worker.pairs = [socket.socketpair() for _ in kept]

def is_line(fd):
    try:
        sock = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with sock:
        return sock.family == socket.AF_UNIX and sock.type == socket.SOCK_SEQPACKET
"""
    site = open_site(kinds.SYNC, workers=1, config=config, worker_keeper=True)
    reset = pytest.raises(ConnectionResetError)
    with newcomer(site, tmp_path / "trace", "accept4", CAME) as wire, reset:
        wire.is_closed()
    named(site, "one that nobody had read yet")


def test_who_is_idle_and_who_is_let_in_go_on_once_each(open_site: Open, tmp_path: Path) -> None:
    """One that is idle in the vault and one that is being let in: each goes on once."""
    site = open_site(kinds.SYNC_KEPT, workers=1, worker_keeper=True)
    with Wire(site.server.address) as idle:
        assert idle.send(get("/hello")).response().status == 200
        with newcomer(site, tmp_path / "trace", "accept4", CAME) as wire:
            assert wire.response().status == 200
        for _ in range(2):
            assert idle.send(get("/hello")).response().status == 200
    assert "go on elsewhere: 2" in site.log()
    assert "Lost request" not in site.log()


@ALL
def test_kills_at_any_moment(open_site: Open, kind: Kind) -> None:
    """Whatever a worker is at: what its application had not begun goes on elsewhere."""
    site = open_site(kind, workers=3, worker_keeper=True)
    dice = random.Random(time.monotonic_ns())
    manners = ("closing", "closing", "prompt", "kept", "pausing", "uploading", "uploading")
    with traffic(site.server.address, manners) as clients:
        for _ in range(KILLS):
            clients.wait_answers(30)
            pid = dice.choice(site.workers)
            os.kill(pid, signal.SIGKILL)
            site.settle({pid})
        clients.wait_answers(30)
    lost = Lost.of(site, clients)
    print(clients.report())
    print(f"{len(lost.begun)} had begun, {len(lost.behind)} behind")
    assert not lost.not_begun, f"{lost}\n{clients.report()}"


@KEPT_ONLY
@pytest.mark.parametrize("keeper", (True, False), ids=("keeper", "without"))
@pytest.mark.parametrize(
    ("raw", "words"),
    (
        (HELLO, "GET /hello (from: 127.0.0.1, "),
        (upload(3_000), "POST /echo (from: 127.0.0.1, "),
        # It goes as a file, with a label.
        (upload(30_000), "POST /echo (from: 127.0.0.1, "),
    ),
    ids=("hello", "upload", "file"),
)
def test_who_is_taken_out_of_the_queue(
    open_site: Open, kind: Kind, keeper: bool, raw: bytes, words: str, tmp_path: Path
) -> None:
    """Killed inside recvmsg(2), which has taken what a busy sibling has handed over."""
    site = open_site(
        kind, worker_keeper=keeper, **({"threads": 1} if kind is kinds.GTHREAD else {})
    )
    gate, trace = tmp_path / "gate", tmp_path / "trace"
    with contextlib.ExitStack() as stack:
        at: dict[int, list[Wire]] = {}
        for number in range(3):
            wire = stack.enter_context(Wire(site.server.address))
            answer = wire.send(get("/hello", f"X-Id: {number}")).response()
            at.setdefault(worker(answer), []).append(wire)
        # Of three at two workers two are at the same.
        busy = next(pid for pid, wires in at.items() if len(wires) > 1)
        other, moves = at[busy][:2]
        (idle,) = set(site.workers) - {busy}
        other.send(get(f"/gate{gate}", "X-Id: gate"))
        run = until(lambda: site.ledger.run("gate"), "it to run", show=site.news)
        assert run.pid == busy
        until(lambda: is_at_rest(idle), "the sibling to wait", show=site.news)
        with delayed([idle], "recvmsg", f"delay_exit={DELAY}:when=1", trace):
            try:
                moves.send(raw)
                until(lambda: "SCM_RIGHTS" in trace.read_text(), "it to be taken", show=site.news)
            finally:
                os.kill(idle, signal.SIGKILL)
        if keeper:
            assert moves.response().status == 200
            assert "Lost request" not in site.log()
        else:
            # What its worker had not read resets it.
            with contextlib.suppress(ConnectionResetError):
                assert moves.is_closed()
            log = site.server.wait_log("Lost request")
            assert f"Lost request: {words}" in log and "phase: not begun" in log
        gate.touch()
        assert other.response().status == 200
    assert [run.id for run in site.ledger.runs()].count("goes-on") == keeper
