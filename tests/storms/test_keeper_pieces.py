"""With `worker_keeper` a request goes on of which only a part has come, whatever part that is."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import is_at_rest
from harness.wait import until
from harness.wire import Wire, chunked, get, post
from storms.conftest import Open, Site
from storms.inside import SENT, kill_inside, newcomer

ALL = pytest.mark.parametrize("kind", kinds.ALL, ids=str)
BOTH = pytest.mark.parametrize("transport", ("tcp", "unix"))
NAME = "X-Id: goes-on"

# Its last bytes are zeros, of which nobody could say whether they have come.
SMALL = b"0123456789" + bytes(10)


def pieces(count: int) -> re.Pattern[str]:
    """What strace shows when so many have come."""
    return re.compile(r"recvmmsg\(.*?msg_len=[1-9].*?" * count, re.DOTALL)


def has_gone_on(site: Site) -> None:
    assert [run.id for run in site.ledger.runs()].count("goes-on") == 1
    log = site.log()
    assert "Lost request" not in log, log
    assert "go on elsewhere: 1" in log


@ALL
@BOTH
@pytest.mark.parametrize("cut", (1, 4, 30, -31, -22, -20, -11, -1))
def test_its_beginning(
    open_site: Open, kind: Kind, transport: str, cut: int, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1, transport=transport, worker_keeper=True)
    raw = post("/echo", SMALL, NAME)
    with newcomer(site, tmp_path / "trace", "recvmmsg", raw=raw[:cut]) as wire:
        assert wire.send(raw[cut:]).response().body == SMALL
    has_gone_on(site)


@ALL
def test_the_next_piece_of_a_head(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """Of a connection that has been answered before, and is deposited as an idle one."""
    site = open_site(kind, workers=1, worker_keeper=True)
    raw = post("/echo", SMALL, NAME)
    with Wire(site.server.address) as wire:
        wire.send(raw[:30])
        until(lambda: site.has_read(wire), "it to be read", show=site.news)
        kill_inside(site, tmp_path / "trace", lambda: wire.send(raw[30:50]), "recvmmsg", pieces(1))
        assert wire.send(raw[50:]).response().body == SMALL
    has_gone_on(site)


def lengths(dice: random.Random, body: bytes) -> bytes:
    return post("/echo", body, NAME)


def chunks(dice: random.Random, body: bytes) -> bytes:
    parts = []
    while body:
        length = dice.choice((1, 5, 300, 9_000))
        parts.append(body[:length])
        body = body[length:]
    coded = chunked(*parts, trailers=b"X-End: yes\r\n")
    return get("/echo", "Transfer-Encoding: chunked", NAME, method="POST") + coded


@ALL
@BOTH
@pytest.mark.parametrize("nth", (1, 2, 5))
@pytest.mark.parametrize("memory", ("4K", "40K", "1M"))
@pytest.mark.parametrize("encode", (lengths, chunks))
def test_any_piece_of_a_body(
    open_site: Open,
    kind: Kind,
    transport: str,
    nth: int,
    memory: str,
    encode: Callable[[random.Random, bytes], bytes],
    tmp_path: Path,
) -> None:
    """In memory, in memory that others can have, in a file; and on the way from one to another."""
    site = open_site(
        kind, workers=1, transport=transport, worker_keeper=True, request_buffer_size=memory
    )
    dice = random.Random(f"{nth}{memory}{encode}")
    body = dice.randbytes(190_000) + bytes(10_000)
    raw = encode(dice, body)
    first, second = dice.randrange(300, 60_000), dice.randrange(140_000, 190_000)
    with Wire(site.server.address) as wire:
        (pid,) = site.workers
        wire.send(raw[:first])
        until(wire.is_delivered, "it to be there", show=site.news)
        until(lambda: is_at_rest(pid), "the worker to wait", show=site.news)
        kill_inside(
            site,
            tmp_path / "trace",
            lambda: wire.send(raw[first:second]),
            "recvmmsg",
            pieces(nth),
            nth,
        )
        assert wire.send(raw[second:]).response().body == body
    has_gone_on(site)


@ALL
@pytest.mark.parametrize("nth", (1, 2, 3, 4))
def test_a_head_for_which_a_message_is_too_small(
    open_site: Open, kind: Kind, nth: int, tmp_path: Path
) -> None:
    site = open_site(kind, workers=1, worker_keeper=True)
    long = [f"X-Long-{number}: {'x' * 6000}" for number in range(6)]
    raw = post("/echo", SMALL, *long, NAME)
    with newcomer(site, tmp_path / "trace", "recvmmsg", pieces(nth), nth, raw=raw[:33_000]) as wire:
        assert wire.send(raw[33_000:]).response().body == SMALL
    has_gone_on(site)


@ALL
@pytest.mark.parametrize("cut", (10, -30, -20, -3))
def test_behind_what_a_proxy_says(open_site: Open, kind: Kind, cut: int, tmp_path: Path) -> None:
    site = open_site(kind, workers=1, worker_keeper=True, proxy_protocol="auto")
    preamble = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"
    raw = preamble + post("/echo", SMALL, NAME)
    with newcomer(site, tmp_path / "trace", "recvmmsg", raw=raw[:cut]) as wire:
        assert wire.send(raw[cut:]).response().body == SMALL
    has_gone_on(site)


@ALL
@pytest.mark.parametrize("keeper", (True, False), ids=("keeper", "without"))
def test_what_has_begun_behind_a_proxy_does_not_go_on(
    open_site: Open, kind: Kind, keeper: bool
) -> None:
    """No request runs a second time, and it is told of once."""
    site = open_site(kind, workers=1, worker_keeper=keeper, proxy_protocol="auto")
    preamble = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"
    with Wire(site.server.address) as wire:
        wire.send(preamble + get("/die", "X-Id: dies"))
        assert wire.is_closed()
    assert "phase: in the application" in site.server.wait_log("Lost request")
    site.settle()
    assert [run.id for run in site.ledger.runs()].count("dies") == 1
    assert site.log().count("Lost request") == 1


@ALL
def test_who_was_told_to_continue(open_site: Open, kind: Kind, tmp_path: Path) -> None:
    """And is told again, which does no harm (RFC 9110 §15.2)."""
    site = open_site(kind, workers=1, worker_keeper=True)
    raw = post("/echo", SMALL, NAME, "Expect: 100-continue")
    head = raw[: -len(SMALL)]
    with newcomer(site, tmp_path / "trace", "sendto,sendmsg", SENT, raw=head) as wire:
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        assert wire.send(SMALL).response().body == SMALL
    has_gone_on(site)


@ALL
@pytest.mark.parametrize("transport", ("tcp", "unix"))
def test_a_file_is_not_sent_twice(
    open_site: Open, kind: Kind, transport: str, tmp_path: Path
) -> None:
    """Killed inside sendfile(2): no flight says that its request has begun."""
    content = random.Random(0).randbytes(100_000)
    (tmp_path / "file.bin").write_bytes(content)
    site = open_site(
        kind,
        workers=1,
        transport=transport,
        worker_keeper=True,
        keepalive=5,
        static_map=[f"/static={tmp_path}"],
    )
    raw = get("/static/file.bin")
    with newcomer(site, tmp_path / "trace", "sendfile", SENT, raw=raw) as wire:
        response = wire.read_until(b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 200 ")
        rest = wire.read_to_close()
    assert content.startswith(rest)
