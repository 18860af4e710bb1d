"""Scenario M4: no request waits behind a busy worker while another could run it.

Four workers, four requests at once, 20 rounds. In Gunicorn's gthread about 25 of these 80 wait
(measured). Here it is none, wherever the connections are when their requests come. Nothing is
measured in the client: each request says when it was sent and the application when it began, and
`harness.ledger.waits` finds those that began late though a slot was free.
"""

from __future__ import annotations

import time

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.ledger import waits
from harness.server import Command
from harness.shift import Shift, Start
from harness.wire import Wire

WORKERS = 4
ROUNDS = 20
NAP = 0.4
# A request that really waits behind another does so for a whole nap. What a busy machine takes to
# wake a process up is far less.
TOLERANCE = 0.6 * NAP


def send_all(shift: Shift, wires: list[Wire], path: str = f"/nap/{NAP}") -> dict[str, float]:
    """Sends a request on each connection; when each was sent, by its id."""
    sent = {}
    for wire in wires:
        name = shift.new_id()
        sent[name] = time.monotonic()
        wire.send(shift.get(path, id=name))
    return sent


def read_all(wires: list[Wire]) -> None:
    statuses = [wire.response().status for wire in wires]
    assert statuses == [200] * len(wires)


def close_all(wires: list[Wire]) -> None:
    for wire in wires:
        wire.close()


def one_round(shift: Shift, wires: list[Wire]) -> dict[str, float]:
    """A request on each connection, and no more on it; when each was sent, by its id."""
    sent = send_all(shift, wires)
    read_all(wires)
    close_all(wires)
    return sent


def assert_nobody_waited(shift: Shift, sent: dict[str, float], slots: int) -> None:
    late = waits(sent, shift.ledger.runs(), slots, TOLERANCE)
    assert not late, f"{len(late)} of {len(sent)} waited while somebody was idle: {late[:8]}"


@pytest.mark.gunicorn_bug("whoever accepts first keeps it")
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_new_connections(start: Start, kind: Kind) -> None:
    shift = start(kind, workers=WORKERS)
    sent = {}
    for _ in range(ROUNDS):
        wires: list[Wire] = []
        for _ in range(WORKERS):
            name = shift.new_id()
            # Before it connects: to wait in the backlog is to wait.
            sent[name] = time.monotonic()
            wires.append(Wire(shift.address).send(shift.get(f"/nap/{NAP}", id=name)))
        read_all(wires)
        close_all(wires)
    assert len(sent) == ROUNDS * WORKERS
    assert_nobody_waited(shift, sent, WORKERS)


@pytest.mark.gunicorn_bug("a connection stays with its worker")
@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_kept_alive_connections(start: Start, kind: Kind) -> None:
    """The same connections in all rounds, wherever they have come to live."""
    shift = start(kind, workers=WORKERS)
    wires = [Wire(shift.address) for _ in range(WORKERS)]
    sent = {}
    for _ in range(ROUNDS):
        sent |= send_all(shift, wires)
        read_all(wires)
    close_all(wires)
    assert len(sent) == ROUNDS * WORKERS
    assert_nobody_waited(shift, sent, WORKERS)


@pytest.mark.gunicorn_bug("a connection stays with its worker")
@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_connections_parked_in_one_worker(start: Start, kind: Kind) -> None:
    """All four live in the same worker when their requests come, in every round."""
    shift = start(kind, workers=WORKERS)
    sent = {}
    for _ in range(ROUNDS):
        _, wires = shift.park(WORKERS)
        sent |= one_round(shift, wires)
    assert len(sent) == ROUNDS * WORKERS
    assert_nobody_waited(shift, sent, WORKERS)


@pytest.mark.gunicorn_bug("a connection stays with its worker")
@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_more_requests_than_workers(start: Start, kind: Kind) -> None:
    """Most must wait, but never while somebody is idle."""
    shift = start(kind, workers=WORKERS)
    sent = {}
    for _ in range(ROUNDS // 5):
        _, wires = shift.park(3 * WORKERS)
        sent |= one_round(shift, wires)
    assert_nobody_waited(shift, sent, WORKERS)


THREADS = 4
SLOTS = WORKERS * THREADS


@pytest.mark.gunicorn_bug("a connection stays with its worker")
def test_one_worker_has_all_its_threads_busy(start: Start) -> None:
    """The connections live in the one worker of 4 x 4 that has no thread left."""
    shift = start(kinds.GTHREAD, workers=WORKERS, threads=THREADS)
    pid, parked = shift.park(SLOTS - THREADS)
    sent = {}
    with shift.occupied(pid):
        for _ in range(ROUNDS // 4):
            new = [Wire(shift.address) for _ in range(THREADS)]
            # As many as the other three workers can run.
            wires = parked[: SLOTS - 2 * THREADS] + new
            sent |= send_all(shift, wires)
            read_all(wires)
            close_all(new)
        # These have not moved: they are in the busy worker still.
        sent |= send_all(shift, parked[-THREADS:])
        read_all(parked[-THREADS:])
    assert {run.pid for run in shift.ledger.runs() if run.id in sent}.isdisjoint({pid})
    assert_nobody_waited(shift, sent, SLOTS)


@pytest.mark.parametrize("kind", [kinds.GTHREAD], ids=str)
def test_one_worker_is_busy_with_the_gil(start: Start, kind: Kind) -> None:
    """One thread computes in pure Python and takes the GIL back whenever it can."""
    shift = start(kind, workers=WORKERS, threads=THREADS)
    sent = {}
    for _ in range(ROUNDS // 4):
        pid, wires = shift.park(THREADS + 1)
        name = shift.new_id("burn")
        burning = wires.pop()
        burning.send(shift.get(f"/burn/{2 * NAP}", id=name))
        shift.wait_for(name)
        new = [Wire(shift.address) for _ in range(THREADS)]
        sent |= send_all(shift, wires + new)
        read_all([*wires, *new, burning])
        close_all([*wires, *new, burning])
    assert_nobody_waited(shift, sent, SLOTS)


def test_the_judge_finds_the_waits_of_gunicorn(start: Start, gunicorn: Command) -> None:
    """Four connections in one worker of Gunicorn: three requests wait, one after the other."""
    shift = start(kinds.GTHREAD, workers=WORKERS, command=gunicorn)
    _, wires = shift.park(WORKERS)
    sent = send_all(shift, wires)
    read_all(wires)
    close_all(wires)
    assert len(waits(sent, shift.ledger.runs(), WORKERS, TOLERANCE)) == WORKERS - 1
