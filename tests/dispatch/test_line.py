"""A worker alone, all threads busy with long calls: who waits stands in a line, and a thread takes
the next one from there itself. Whatever else happens, everybody in the line has his turn."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness import kinds
from harness.proc import descriptors, is_stopped
from harness.shift import Gate, Shift, Start
from harness.syscalls import counter
from harness.wait import until
from harness.wire import Wire, get, post

THREADS = 2
WAITING = 6
# Of the worker, for a request that naps and comes with others.
CALLS_AT_MOST = 6
ROUNDS = 10


@dataclass
class Jam:
    """A worker whose calls have been long, with all threads busy, and idle connections to it."""

    shift: Shift
    pid: int
    wires: list[Wire]
    gates: list[Gate]

    def clear(self) -> None:
        """Lets those go who are inside."""
        for gate in self.gates:
            assert gate.let_go().body == b"gate"


@pytest.fixture
def jam(start: Start) -> Iterator[Jam]:
    shift = start(kinds.GTHREAD, workers=1, threads=THREADS)
    pid, wires = shift.park(WAITING)
    # From here on calls are long on average.
    for _ in range(3):
        assert wires[0].send(get("/nap/0.05")).response().body == b"nap"
    gates = shift.occupy(pid)
    yield Jam(shift, pid, wires, gates)
    for gate in gates:
        gate.path.touch()
        gate.wire.close()
    for wire in wires:
        wire.close()


def assert_answered(wires: list[Wire]) -> None:
    bodies = [wire.response().body for wire in wires]
    assert bodies == [b"%d" % number for number in range(len(wires))]


def test_they_are_served_in_their_order(jam: Jam) -> None:
    """In one of a few rounds: whoever has stood there for 100 ms, on a busy machine, goes another
    way, on which somebody who came later may overtake him."""
    seen: list[list[int]] = []
    for _ in range(ROUNDS):
        names = [jam.shift.new_id() for _ in jam.wires]
        for name, wire in zip(names, jam.wires, strict=True):
            wire.send(jam.shift.get("/hello", id=name))
        jam.clear()
        assert [wire.response().body for wire in jam.wires] == [b"Hello, World!"] * WAITING
        seen.append([names.index(run.id) for run in jam.shift.ledger.runs() if run.id in names])
        # Who takes the next one may be a moment slower to say so.
        if all(abs(who - at) < THREADS for at, who in enumerate(seen[-1])):
            return
        jam.gates[:] = jam.shift.occupy(jam.pid)
    raise AssertionError(f"never in their order: {seen}")


def test_newcomers_stand_in_it_too(start: Start) -> None:
    """Those whose next request comes at once leave nobody outside, however long the line is."""
    shift = start(kinds.GTHREAD, workers=1, threads=THREADS)
    over, failures = threading.Event(), []

    def use() -> None:
        try:
            with Wire(shift.address) as wire:
                while not over.is_set():
                    assert wire.send(get("/nap/0.005")).response().body == b"nap"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            shift.settle()
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures


@pytest.mark.ours("Gunicorn's worker makes about 18")
def test_a_request_in_it_costs_few_system_calls(start: Start) -> None:
    """Read, sleep, send, and little else: nobody is woken to pass it on. In the best of some
    rounds: where the machine is busy a worker may find less to do at once."""
    shift = start(kinds.GTHREAD, workers=1, threads=THREADS)
    pid, wires = shift.park(32)
    with contextlib.ExitStack() as stack:
        for wire in wires:
            stack.enter_context(wire)
        for _ in range(3):
            assert wires[0].send(get("/nap/0.05")).response().body == b"nap"
        tids = [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]
        counts = [stack.enter_context(counter(tid)) for tid in tids]

        def stopped() -> int:
            os.kill(pid, signal.SIGSTOP)
            until(lambda: is_stopped(pid), "the worker to stop")
            return sum(count() for count in counts if count is not None)

        if None in counts:
            pytest.skip("perf_event_open(2) is not allowed here")
        seen = []
        for _ in range(ROUNDS):
            before = stopped()
            for wire in wires:
                wire.send(get("/nap/0.001"))
            os.kill(pid, signal.SIGCONT)
            for wire in wires:
                assert wire.response().body == b"nap"
            seen.append((stopped() - before) / len(wires))
            os.kill(pid, signal.SIGCONT)
            assert seen[-1] >= 3, "system calls escape us"
    assert min(seen) <= CALLS_AT_MOST, seen


@pytest.mark.gunicorn_bug("loses the requests that wait for a thread")
def test_who_has_waited_is_not_lost_with_the_worker(jam: Jam) -> None:
    """After a while they are in the queue between workers; the successor finds them there."""
    before = len(descriptors(jam.pid))
    for number, wire in enumerate(jam.wires):
        wire.send(post("/echo", b"%d" % number))
    until(
        lambda: len(descriptors(jam.pid)) <= before - WAITING,
        f"{WAITING} connections to leave {jam.pid}",
    )
    os.kill(jam.pid, signal.SIGKILL)
    assert_answered(jam.wires)


@pytest.mark.gunicorn_bug("closes idle connections, whatever is on its way on them")
def test_a_stop_serves_those_who_stand_in_it(jam: Jam) -> None:
    for number, wire in enumerate(jam.wires):
        wire.send(post("/echo", b"%d" % number))
    jam.shift.server.send_signal(signal.SIGTERM)
    jam.clear()
    assert_answered(jam.wires)
    assert jam.shift.server.wait_exit() == 0
