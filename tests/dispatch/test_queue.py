"""What lies in the queue that the workers share: complete requests that nobody was free to run."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import descriptors
from harness.shift import Gate, Shift, Start, worker
from harness.wait import until
from harness.wire import Closed, Wire, get, post

pytestmark = pytest.mark.gunicorn_bug("has no such queue")

WAITING = 6
BODY = b"0123456789" * 100


@contextlib.contextmanager
def queued(shift: Shift, count: int = WAITING) -> Iterator[tuple[int, list[Wire], dict[int, Gate]]]:
    """`count` requests in the queue: where they lived, their connections, who is held by what.

    Each posts its own number. They have left their worker when its descriptors are gone.
    """
    home, wires = shift.park(count)
    with contextlib.ExitStack() as stack:
        for wire in wires:
            stack.enter_context(wire)
        gates = {gate.run.pid: gate for gate in shift.occupy(*shift.workers)}
        before = len(descriptors(home))
        for number, wire in enumerate(wires):
            wire.send(post("/echo", b"%d" % number))
        until(
            lambda: len(descriptors(home)) <= before - count,
            f"{count} connections to leave {home}",
            show=lambda: "\n".join(descriptors(home)),
        )
        yield home, wires, gates
        for gate in gates.values():
            gate.path.touch()
            gate.wire.close()


def assert_answered(wires: list[Wire]) -> None:
    bodies = [wire.response().body for wire in wires]
    assert bodies == [b"%d" % number for number in range(len(wires))]


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_one_that_comes_free_runs_them_all_in_their_order(start: Start, kind: Kind) -> None:
    shift = start(kind)
    home, wires = shift.park(WAITING)
    gates = {gate.run.pid: gate for gate in shift.occupy(*shift.workers)}
    names = [shift.new_id() for _ in wires]
    for name, wire in zip(names, wires, strict=True):
        wire.send(shift.get("/hello", id=name))
    free = next(pid for pid in gates if pid != home)
    gates.pop(free).let_go()
    assert {worker(wire.response()) for wire in wires} == {free}
    assert [run.id for run in shift.ledger.runs() if run.id in names] == names
    gates.pop(home).let_go()
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_the_worker_that_queued_them_is_killed(start: Start, kind: Kind) -> None:
    shift = start(kind)
    with queued(shift) as (home, wires, _):
        os.kill(home, signal.SIGKILL)
        # The other one is still held: it is the successor that finds them.
        assert_answered(wires)
        assert home not in shift.workers


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_all_workers_are_killed(start: Start, kind: Kind) -> None:
    shift = start(kind)
    with queued(shift) as (_, wires, gates):
        for pid in gates:
            os.kill(pid, signal.SIGKILL)
        assert_answered(wires)
        # What ran in them is lost, and the client can tell.
        for gate in gates.values():
            with pytest.raises((Closed, ConnectionResetError)):
                gate.wire.response()


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_graceful_stop_runs_them(start: Start, kind: Kind, number: signal.Signals) -> None:
    shift = start(kind, graceful_timeout=60)
    with queued(shift) as (_, wires, gates):
        shift.server.send_signal(number)
        shift.server.wait_log(f"Handling signal: {number.name[3:].lower()}")
        for gate in gates.values():
            assert gate.let_go().body == b"gate"
        assert_answered(wires)
    if number == signal.SIGTERM:
        assert shift.server.wait_exit() == 0


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_clients_that_have_left_meanwhile(start: Start, kind: Kind) -> None:
    shift = start(kind)
    with queued(shift) as (_, wires, gates):
        for wire in wires[::2]:
            wire.close()
        for gate in gates.values():
            assert gate.let_go().body == b"gate"
        bodies = [wire.response().body for wire in wires[1::2]]
        assert bodies == [b"%d" % number for number in range(1, WAITING, 2)]
    assert "Traceback" not in shift.server.log()


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
@pytest.mark.parametrize("size", [0, 60_000, 400_000])
def test_more_than_the_queue_has_room_for(start: Start, kind: Kind, size: int) -> None:
    """What does not fit stays where it is and is served all the same."""
    count = 300
    shift = start(kind)
    home, wires = shift.park(count)
    gates = {gate.run.pid: gate for gate in shift.occupy(*shift.workers)}
    for number, wire in enumerate(wires):
        wire.send(post("/echo", b"%d " % number + b"q" * size))
    gates.pop(next(pid for pid in gates if pid != home)).let_go()
    for number, wire in enumerate(wires):
        response = wire.response()
        assert response.body == b"%d " % number + b"q" * size
        wire.close()
    gates.pop(home).let_go()
    assert shift.server.log().count("Booting worker") == 2


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_new_connections_are_served_beside_the_queue(start: Start, kind: Kind) -> None:
    """Whoever comes free looks at both."""
    shift = start(kind)
    with queued(shift) as (home, wires, gates), contextlib.ExitStack() as stack:
        new = [stack.enter_context(Wire(shift.address)).send(get("/hello")) for _ in range(4)]
        assert gates[home].let_go().body == b"gate"
        assert_answered(wires)
        assert [wire.response().body for wire in new] == [b"Hello, World!"] * 4
