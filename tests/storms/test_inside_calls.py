"""A worker is killed inside a system call that has been done, and does not know yet."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.wait import until
from harness.wire import Closed, Wire, get, post
from storms.conftest import Open
from storms.inside import SENT, kill_inside, named, newcomer, until_deposited

KEPT = pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
ALL = pytest.mark.parametrize("kind", kinds.ALL, ids=str)


@KEPT
@pytest.mark.parametrize("before", (0, 9), ids=("whole", "its-end"))
def test_a_request_of_a_kept_connection_goes_on(
    open_site: Open, kind: Kind, before: int, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1)
    raw = get("/hello?q", "X-Id: goes-on")
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        until_deposited(site)
        if before:
            wire.send(raw[:before])
            until(lambda: site.has_read(wire), "it to be read", show=site.news)
            until_deposited(site)
        kill_inside(site, tmp_path / "trace", lambda: wire.send(raw[before:]))
        assert wire.response().status == 200
        assert wire.send(get("/hello")).response().status == 200
    assert [run.id for run in site.ledger.runs()].count("goes-on") == 1
    assert "Lost request" not in site.log()


@KEPT
def test_a_body_that_is_all_there_goes_on(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        until_deposited(site)
        raw = post("/echo", b"0123456789", "X-Id: goes-on")
        kill_inside(site, tmp_path / "trace", lambda: wire.send(raw))
        assert wire.response().body == b"0123456789"
        assert wire.send(get("/hello")).response().status == 200
    assert [run.id for run in site.ledger.runs()].count("goes-on") == 1
    assert "Lost request" not in site.log()


@KEPT
@pytest.mark.parametrize(
    ("raw", "words"),
    (
        (post("/echo?q", b"0123456789")[:-1], "POST /echo"),
        (post("/echo", b"\0" * 10), "POST /echo"),
        (get("/hello")[:-2], "GET /hello"),
        (b"GET /a/long/pa", "GET /a/long/pa"),
        (get("/hello") + get("/hello"), "GET /hello"),
    ),
    ids=("body", "zeros", "cut", "line-cut", "two"),
)
def test_what_may_not_be_whole_is_named(
    open_site: Open, kind: Kind, raw: bytes, words: str, tmp_path: Path
) -> None:
    """Nobody can say of it how much had come."""
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        until_deposited(site)
        kill_inside(site, tmp_path / "trace", lambda: wire.send(raw))
        assert wire.is_closed()
    named(site, words)


@ALL
def test_a_request_of_a_new_connection_is_named(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1)
    with contextlib.ExitStack() as stack:

        def come() -> None:
            wires.append(stack.enter_context(Wire(site.server.address)))
            wires[0].send(get("/hello?q"))

        wires: list[Wire] = []
        kill_inside(site, tmp_path / "trace", come)
        assert wires[0].is_closed()
    named(site, "GET /hello")


@KEPT
@pytest.mark.parametrize("length", (2, 40_000), ids=("one-piece", "more"))
def test_a_connection_goes_on_whose_response_is_out(
    open_site: Open, kind: Kind, length: int, tmp_path: Path
) -> None:
    """Killed inside send(2): its client has all of the response, and may send the next request."""
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        until_deposited(site)
        call = "sendto" if length == 2 else "sendmsg"
        kill_inside(site, tmp_path / "trace", lambda: wire.send(get(f"/fill/{length}")), call, SENT)
        assert len(wire.response().body) == length
        # Its thread had not heard of it.
        assert "phase: sending its response" in site.server.wait_log("Lost request")
        assert wire.send(get("/hello")).response().status == 200
    assert site.log().count("Lost request") == 1
    assert "go on elsewhere: 1" in site.log()


@KEPT
def test_a_connection_is_cut_whose_response_is_not_out(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    """Killed inside send(2), which has taken a part of it."""
    site = open_site(kind, workers=1)
    with Wire(site.server.address) as wire:
        assert wire.send(get("/hello")).response().status == 200
        until_deposited(site)
        raw = get("/fill/50000000")
        kill_inside(site, tmp_path / "trace", lambda: wire.send(raw), "sendmsg", SENT)
        with pytest.raises((Closed, ConnectionResetError)):
            wire.response()
    assert "go on elsewhere" not in site.server.wait_log("Lost request")


@ALL
def test_who_is_let_in_is_named(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """Killed inside accept4(2), which has written who it is."""
    site = open_site(kind, workers=1)
    # What the kernel had for the worker was not read.
    reset = pytest.raises(ConnectionResetError)
    with newcomer(site, tmp_path / "trace", "accept4") as wire, reset:
        wire.is_closed()
    named(site, "one that nobody had read yet")


@ALL
def test_over_a_unix_socket_it_is_said_that_there_was_one(
    open_site: Open, kind: Kind, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1, transport="unix")
    with newcomer(site, tmp_path / "trace", "accept4", re.compile("AF_UNIX")):
        site.server.wait_log("Lost request: one that nobody had read yet (from: a unix socket, ")


@ALL
def test_where_nobody_is_let_in_nobody_is_lost(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """Killed inside accept4(2), which has found nobody."""
    site = open_site(kind, workers=1)
    nobody = re.compile("EAGAIN")
    with newcomer(site, tmp_path / "trace", "accept4", nobody, nth=2) as wire:
        assert wire.response().status == 200
    site.settle()
    assert "Lost request" not in site.log()


@ALL
def test_who_has_just_come_goes_on(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """Killed while he is waited for, who has not spoken."""
    site = open_site(kind, workers=1)
    waited = re.compile(" = 0 ")
    with newcomer(site, tmp_path / "trace", "ppoll", waited, raw=b"") as wire:
        assert wire.send(get("/hello")).response().status == 200
    assert "Lost request" not in site.log()
