"""A client that has left while its request waited: it is not run, the access log has 499."""

from __future__ import annotations

import time

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.shift import Start
from harness.wait import until
from harness.waiting import all_occupied, answer, ask_many, reset, wait_until_read
from harness.wire import Wire, get, post

pytestmark = pytest.mark.ours("Gunicorn runs it, and fails to answer")

LONG = 1000
START = b"POST /hello HTTP/1.1\r\n"
EXPECTING = START + b"Host: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
WAITED = 0.15
"""Seconds after which a request that was read has certainly waited."""


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_where_waiting_is_limited_it_is_not_run(shared: Start, kind: Kind, how: str) -> None:
    """Also one that would change something: who has left can not have been promised anything."""
    shift = shared(kind, workers=1, max_queue_time=LONG)
    name = shift.new_id("left")
    path = f"/echo?{name}"
    log = len(shift.server.log())
    with all_occupied(shift):
        wire = Wire(shift.address).send(post(path, b"x", f"X-Id: {name}"))
        stays = ask_many(shift, 1)[0]
        wait_until_read(shift)
        if how == "close":
            wire.close()
        elif how == "reset":
            reset(wire)
        else:
            wire.half_close()
        time.sleep(WAITED)
    assert answer(stays).status == 200
    if how == "half-close":
        # Nothing is sent to it, not even where it would be read.
        assert wire.is_closed()
        wire.close()
    line = f'"POST {path} HTTP/1.1" 499 0 '
    until(lambda: line in shift.server.log()[log:], "its access line", show=shift.server.log)
    assert shift.ledger.run(name) is None


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_behind_two_workers(shared: Start, kind: Kind) -> None:
    """It may lie in the queue between them: noticed at the latest when its turn comes."""
    shift = shared(kind, workers=2, max_queue=LONG)
    log = len(shift.server.log())
    name = shift.new_id("left")
    _, (wire, after) = shift.park(2)
    with wire, after:
        with all_occupied(shift):
            wire.send(shift.get("/hello", id=name)).half_close()
            after.send(EXPECTING)
            assert after.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            time.sleep(WAITED)
        assert after.send(b"x").response().status == 200
        assert wire.is_closed()
    until(lambda: " 499 0 " in shift.server.log()[log:], "its access line", show=shift.server.log)
    assert shift.ledger.run(name) is None


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_half_closed_client_that_need_not_wait_is_answered(shared: Start, kind: Kind) -> None:
    shift = shared(kind, workers=1, max_queue_time=LONG)
    for _ in range(20):
        with Wire(shift.address) as wire:
            response = wire.send(get("/hello", "Connection: close")).half_close().response()
            assert response.status == 200


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_by_default_a_half_closed_client_is_answered_however_long_it_waited(
    shared: Start, kind: Kind
) -> None:
    shift = shared(kind, workers=1)
    with Wire(shift.address) as wire, Wire(shift.address) as after:
        wire.send(get("/hello", "Connection: close")[:20])
        after.send(START)
        shift.settle()
        with all_occupied(shift):
            wire.send(get("/hello", "Connection: close")[20:]).half_close()
            # Read while the thread is busy; it waits from then on.
            after.send(EXPECTING[len(START) :])
            assert after.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            time.sleep(WAITED)
        assert wire.response().status == 200


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_by_default_a_reset_is_enough(shared: Start, kind: Kind, transport: str) -> None:
    if transport == "unix":
        pytest.skip("a unix socket has no reset")
    shift = shared(kind, workers=1)
    name = shift.new_id("left")
    log = len(shift.server.log())
    raw = shift.get("/hello", id=name)
    wire = Wire(shift.address).send(raw[:20])
    with Wire(shift.address) as after:
        after.send(START)
        shift.settle()
        with all_occupied(shift):
            wire.send(raw[20:])
            after.send(EXPECTING[len(START) :])
            assert after.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            reset(wire)
            time.sleep(WAITED)
    until(lambda: " 499 0 " in shift.server.log()[log:], "its access line", show=shift.server.log)
    assert shift.ledger.run(name) is None
