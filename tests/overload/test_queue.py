"""`max_queue`: so many requests wait for a thread, the next one is answered 503 at once."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.shift import Shift, Start
from harness.wait import until
from harness.waiting import Waiting, all_occupied, answer, ask_many, refused
from harness.wire import Response, post

pytestmark = pytest.mark.ours("Gunicorn has no such limit")

QUEUE = 3


def is_refusal(response: Response) -> bool:
    if response.status != 503:
        return False
    assert response.header("Retry-After") == "1"
    assert response.header("Connection") == "close"
    assert b"Too many requests are waiting" in response.body
    return True


def was_run(shift: Shift, one: Waiting) -> bool:
    return shift.ledger.run(one.name) is not None


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_past_it_requests_are_refused_while_all_threads_are_busy(shared: Start, kind: Kind) -> None:
    shift = shared(kind, workers=1, max_queue=QUEUE)
    log = len(shift.server.log())
    with all_occupied(shift):
        asked = ask_many(shift, QUEUE + 4)
        gone = refused(shift, asked, 4)
        assert all(is_refusal(answer(one)) for one in gone)
    rest = [one for one in asked if one not in gone]
    assert [answer(one).status for one in rest] == [200] * QUEUE
    assert not any(was_run(shift, one) for one in gone)
    # All that came after somebody who waits, and nobody else.
    assert gone == asked[QUEUE:]

    def lines() -> int:
        return shift.server.log()[log:].count('"GET /hello HTTP/1.1" 503 0 ')

    until(lambda: lines() == 4, "four access lines", show=shift.server.log)
    shift.server.wait_log("requests refused with 503")


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_it_is_counted_over_all_workers(shared: Start, kind: Kind) -> None:
    """Two workers can let somebody in at the same moment; more than that never wait too many."""
    shift = shared(kind, workers=2, max_queue=QUEUE)
    with all_occupied(shift):
        asked = ask_many(shift, 20)
        # Somebody who has waited for 20 ms is in the queue between workers, and still counts.
        refused(shift, asked, 20 - QUEUE - 1)
        (late,) = refused(shift, ask_many(shift, 1), 1)
        assert is_refusal(answer(late))
    answers = [answer(one) for one in asked]
    served = [response for response in answers if response.status == 200]
    assert QUEUE <= len(served) <= QUEUE + 1
    assert len(served) + sum(map(is_refusal, answers)) == 20


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_kept_alive_connections_are_held_to_it_too(shared: Start, kind: Kind) -> None:
    shift = shared(kind, workers=1, max_queue=QUEUE)
    _, wires = shift.park(QUEUE + 2)
    with contextlib.ExitStack() as stack:
        for wire in wires:
            stack.enter_context(wire)
        with all_occupied(shift):
            asked = [Waiting("", wire.send(post("/echo", b"x"))) for wire in wires]
            gone = refused(shift, asked, 2)
            assert all(is_refusal(answer(one)) for one in gone)
        assert [one.wire.response().body for one in asked if one not in gone] == [b"x"] * QUEUE


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_nobody_is_refused_while_there_is_a_free_thread(shared: Start, kind: Kind) -> None:
    shift = shared(kind, workers=2, max_queue=1)
    busy, _ = shift.workers
    with shift.occupied(busy):
        for _ in range(30):
            (one,) = ask_many(shift, 1)
            assert answer(one).status == 200


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_a_worker_that_is_killed_leaves_no_count_behind(start: Start, kind: Kind) -> None:
    shift = start(kind, workers=1, max_queue=QUEUE)
    (first,) = shift.workers
    gates = shift.occupy(first)
    asked = ask_many(shift, QUEUE + 1)
    refused(shift, asked, 1)
    os.kill(first, signal.SIGKILL)
    until(lambda: shift.workers not in ([], [first]), "a successor", show=shift.server.log)
    for lost in [*gates, *asked]:
        lost.wire.close()
    with all_occupied(shift):
        again = ask_many(shift, QUEUE + 1)
        (gone,) = refused(shift, again, 1)
        assert is_refusal(answer(gone))
    assert [answer(one).status for one in again if one is not gone] == [200] * QUEUE


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_on_term_those_who_wait_are_answered(start: Start, kind: Kind) -> None:
    shift = start(kind, workers=1, max_queue=QUEUE)
    with all_occupied(shift):
        asked = ask_many(shift, QUEUE + 1)
        (gone,) = refused(shift, asked, 1)
        shift.server.send_signal(signal.SIGTERM)
        shift.server.wait_log("Handling signal: term")
    assert [answer(one).status for one in asked if one is not gone] == [200] * QUEUE
    assert is_refusal(answer(gone))
    assert shift.server.wait_exit() == 0
