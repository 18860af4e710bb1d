"""A connection of which a duplicate lies in a worker's vault ends as one of which there is none: at
once, for whoever waits for the end, whatever the worker does next."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import in_flight, waits
from harness.wait import until
from harness.wire import Wire, get
from storms.conftest import Open, Site

# Where connections are kept, and lie in a vault between two requests.
KEPT = pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
TRANSPORTS = pytest.mark.parametrize("transport", ("tcp", "unix", "tls"))


def deposited(site: Site, wire: Wire, transport: str, count: int = 1) -> Wire:
    """Keeps a connection, until duplicates of `count` lie in the vault; TLS has none there."""
    (pid,) = site.workers
    assert wire.send(get("/nap/0.01")).response().status == 200
    if transport != "tls":
        until(lambda: in_flight(pid) >= count, "it in the vault", show=site.news)
    return wire


@KEPT
@TRANSPORTS
def test_whoever_is_told_to_close_sees_the_end_at_once(
    open_site: Open, kind: Kind, transport: str, tmp_path: Path
) -> None:
    """Also while the worker is busy with another request, for as long as that takes: nothing of its
    vault is put in order then."""
    site = open_site(kind, workers=1, transport=transport)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.server.address)) for _ in range(3)]
        for count, wire in enumerate(wires, 1):
            deposited(site, wire, transport, count)
        wires[0].send(get("/hello", "Connection: close"))
        assert wires[0].response().header("Connection") == "close"
        assert wires[0].is_closed()
        # In sync the answer is sent, and the next request begins at once.
        wires[1].send(get("/hello", "Connection: close"))
        wires[2].send(get(f"/gate{tmp_path}/gate", "X-Id: runs"))
        assert wires[1].response().status == 200
        assert wires[1].is_closed()
        until(lambda: site.ledger.run("runs"), "it to run", show=site.news)
        (tmp_path / "gate").touch()
        assert wires[2].response().status == 200


@pytest.mark.parametrize("transport", ("tcp", "unix"))
def test_a_sibling_ends_what_lies_in_another_s_vault(
    open_site: Open, transport: str, tmp_path: Path
) -> None:
    """The worker that has deposited it gives it away, and is busy then: it does not look after its
    vault, and the sibling that answers does not have it in its own."""
    site = open_site(kinds.SYNC_KEPT, workers=2, transport=transport)
    with contextlib.ExitStack() as stack:
        wires = []
        for number in range(8):
            wire = stack.enter_context(Wire(site.server.address))
            assert wire.send(get("/nap/0.01", f"X-Id: nap{number}")).response().status == 200
            wires.append((wire, site.ledger.run(f"nap{number}").pid))  # type: ignore[union-attr]
        pid = max(site.workers, key=lambda pid: sum(of == pid for _, of in wires))
        own = [wire for wire, of in wires if of == pid]
        runs, moved, *_ = own
        until(lambda: in_flight(pid) >= len(own), "them in the vault", show=site.news)
        runs.send(get(f"/gate{tmp_path}/gate", "X-Id: runs"))
        until(lambda: site.ledger.run("runs"), "it to run", show=site.news)
        moved.send(get("/hello", "X-Id: moved", "Connection: close"))
        assert moved.response().status == 200
        assert site.ledger.run("moved").pid != pid  # type: ignore[union-attr]
        assert moved.is_closed()
        (tmp_path / "gate").touch()
        assert runs.response().status == 200


@KEPT
@pytest.mark.parametrize("transport", ("tcp", "unix"))
def test_an_idle_client_whose_time_is_up_sees_the_end(
    open_site: Open, kind: Kind, transport: str
) -> None:
    site = open_site(kind, workers=1, transport=transport, keepalive=1)
    with Wire(site.server.address) as wire:
        assert deposited(site, wire, transport).is_closed()
    (pid,) = site.workers
    until(lambda: in_flight(pid) == 0, "nothing in the vault", show=site.news)


@KEPT
@TRANSPORTS
def test_a_client_that_resets_is_let_go(open_site: Open, kind: Kind, transport: str) -> None:
    """The duplicate keeps neither the client's descriptor in the worker nor the connection."""
    site = open_site(kind, workers=1, transport=transport)
    (pid,) = site.workers
    until(lambda: waits(pid), "it to wait for clients", show=site.news)
    before = len(os.listdir(f"/proc/{pid}/fd"))
    wire = deposited(site, Wire(site.server.address), transport)
    raw = getattr(wire.sock, "raw", wire.sock)
    if transport == "tcp":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    until(lambda: in_flight(pid) == 0, "nothing in the vault", show=site.news)
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, "no descriptor", show=site.news)


@KEPT
def test_what_comes_after_the_end_is_reset(open_site: Open, kind: Kind) -> None:
    """As on any connection that the server has closed."""
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        deposited(site, wire, "tcp").send(get("/hello", "Connection: close"))
        assert wire.response().status == 200
        assert wire.is_closed()
        wire.send(b"more")
        poll = select.poll()
        poll.register(wire.sock, select.POLLERR)
        until(lambda: poll.poll(0), "the reset", show=site.news)
        assert wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (32, 104)


def test_an_upload_that_is_refused_is_answered_and_ended(open_site: Open) -> None:
    """Bytes that nobody reads must not become a reset that eats the answer."""
    site = open_site(kinds.SYNC_KEPT, workers=1)
    with Wire(site.server.address) as wire:
        deposited(site, wire, "tcp")
        wire.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n" + b"y" * 50_000)
        assert wire.response().status == 400
        assert wire.read_to_close() == b""
