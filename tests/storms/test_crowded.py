"""More descriptors are on their way between the processes of a user than the kernel allows,
unix(7): what is deposited for the case of a kill gives way, and everything else goes on.

The test has them in a socket of its own, as another server of the same user would. Its servers give
up the capabilities that would let them send all the same.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import in_flight
from harness.wait import until
from harness.wire import Wire, get
from storms.conftest import Open

# More than other tests have on their way meanwhile.
LIMIT = 800
# A worker may hold so many open, and may send while no more than these are on their way.
CONFIG = f"""
import ctypes, resource

SYS_ADMIN, SYS_RESOURCE = 21, 24

def post_fork(server, worker):
    resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    for call in (libc.capget, libc.capset):
        if call(header, sets):
            raise OSError(ctypes.get_errno(), "capabilities")
        for at in range(3):
            sets[at] &= ~(1 << SYS_ADMIN | 1 << SYS_RESOURCE)
"""
WORDS = "Too many descriptors are on their way"
EACH = 250


@contextlib.contextmanager
def crowd() -> Iterator[None]:
    """More are on their way than a worker's limit allows."""
    sending, receiving = socket.socketpair()
    with sending, receiving:
        for _ in range(1 + LIMIT // EACH):
            socket.send_fds(sending, [b"x"], [sending.fileno()] * EACH)
        yield


@pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
def test_the_vault_gives_way(open_site: Open, kind: Kind) -> None:
    site = open_site(kind, workers=1, config=CONFIG)
    (pid,) = site.workers
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.server.address)) for _ in range(4)]
        for wire in wires:
            assert wire.send(get("/nap/0.01")).response().status == 200
        until(lambda: in_flight(pid) == 4, "them in the vault", show=site.news)
        with crowd():
            for _ in range(3):
                late = stack.enter_context(Wire(site.server.address))
                assert late.send(get("/nap/0.01")).response().status == 200
                wires.append(late)
            until(lambda: in_flight(pid) == 0, "the vault to be empty", show=site.news)
            for _ in range(3):
                for wire in wires:
                    assert wire.send(get("/nap/0.001")).response().status == 200
        for wire in wires:
            wire.send(get("/hello", "Connection: close"))
            assert wire.response().status == 200
            assert wire.is_closed()
    assert site.stop().count(WORDS) == 1


def test_the_queue_between_workers_comes_first(open_site: Open, tmp_path: Path) -> None:
    """Nobody can be handed over while others have all there is; nothing is lost, nobody spins, and
    afterwards it goes on."""
    site = open_site(kinds.SYNC_KEPT, workers=2, config=CONFIG)
    with contextlib.ExitStack() as stack:
        wires = []
        for number in range(8):
            wire = stack.enter_context(Wire(site.server.address))
            assert wire.send(get("/nap/0.01", f"X-Id: nap{number}")).response().status == 200
            wires.append((wire, site.ledger.run(f"nap{number}").pid))  # type: ignore[union-attr]
        pid = max(site.workers, key=lambda pid: sum(of == pid for _, of in wires))
        runs, waits, *_ = [wire for wire, of in wires if of == pid]
        with crowd():
            runs.send(get(f"/gate{tmp_path}/gate", "X-Id: runs"))
            until(lambda: site.ledger.run("runs"), "it to run", show=site.news)
            waits.send(get("/hello", "X-Id: waits"))
            until(lambda: in_flight(pid) == 0, "the vault to be empty", show=site.news)
            began = ticks(pid)
            others = [wire for wire, of in wires if of != pid]
            for wire in others:
                assert wire.send(get("/nap/0.2")).response().status == 200
            spent = ticks(pid) - began
            assert not others or spent <= 0.1 * os.sysconf("SC_CLK_TCK") * len(others), spent
            assert site.ledger.run("waits") is None
        # The gate is still shut: a sibling has it now.
        assert waits.response().status == 200
        assert site.ledger.run("waits").pid != pid  # type: ignore[union-attr]
        (tmp_path / "gate").touch()
        assert runs.response().status == 200
    assert 1 <= site.stop().count(WORDS) <= 2


def ticks(pid: int) -> int:
    """CPU time of a process, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
