"""More work than the workers can do: everybody gets a turn, whoever has come."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.shift import Shift, Start
from harness.wait import until
from harness.wire import Wire, get

BUSY = 8
NAP = get("/nap/0.01")

each_kind = pytest.mark.parametrize("kind", kinds.KEPT_AND_GUNICORN, ids=str)


@contextlib.contextmanager
def pressure(shift: Shift, until_answers: int = 1_000_000) -> Iterator[list[int]]:
    """Kept-alive clients that ask again as soon as they are answered; their answers so far.

    They end with the block, or when they have had that many answers together.
    """
    over = threading.Event()
    answers = [0] * BUSY
    failures: list[BaseException] = []

    def use(i: int, wire: Wire) -> None:
        try:
            with wire:
                while not over.is_set() and sum(answers) < until_answers:
                    assert wire.send(NAP).response().body == b"nap"
                    answers[i] += 1
        except BaseException as error:
            failures.append(error)

    wires = [Wire(shift.address) for _ in range(BUSY)]
    for wire in wires:
        assert wire.send(get("/hello")).response().status == 200
    threads = [threading.Thread(target=use, args=pair) for pair in enumerate(wires)]
    for thread in threads:
        thread.start()
    try:
        yield answers
        if until_answers < 1_000_000:
            for thread in threads:
                thread.join(60)
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures


@each_kind
@pytest.mark.parametrize("workers", [1, 2])
def test_newcomers_get_their_turn(start: Start, kind: Kind, workers: int) -> None:
    """Kept-alive clients that leave no worker idle do not keep others out: five times their number
    is as many as may go first."""
    shift = start(kind, workers=workers)
    overtaken = []
    with pressure(shift) as answers:
        for _ in range(10):
            before = sum(answers)
            with Wire(shift.address) as wire:
                assert wire.send(get("/hello")).response().body == b"Hello, World!"
            overtaken.append(sum(answers) - before)
    assert max(overtaken) <= 5 * BUSY, overtaken


@each_kind
@pytest.mark.parametrize("workers", [1, 2])
def test_everybody_gets_a_share(start: Start, kind: Kind, workers: int) -> None:
    """None of eight clients gets less than a quarter of what is its due."""
    shift = start(kind, workers=workers)
    with pressure(shift, until_answers=400) as answers:
        pass
    assert min(answers) >= 400 / BUSY / 4, str(answers)


@pytest.mark.parametrize("kind", (kinds.SYNC_KEPT, kinds.GTHREAD), ids=str)
def test_who_always_has_a_request_ready_holds_nobody_up(spawn: Spawn, kind: Kind) -> None:
    """A client sends many requests at once. In the first of them another client sends one, of which
    the poller has not told yet: it comes soon, not after all of those."""
    many = 2000
    server = spawn("insider:app", settings={**kind.settings, "workers": 1, "keepalive": 60})
    with Wire(server.address) as wire:
        assert wire.send(get("/connect")).response().status == 200

        def order() -> list[str]:
            return wire.send(get("/order")).response().body.decode().split()

        until(lambda: "/connected" in order(), "the other client to be let in")
        wire.send(get("/ask") + get("/piped") * many)
        for _ in range(1 + many):
            assert wire.response().status == 200
        asked = order()
    assert asked.count("/piped") == many
    assert asked.index("/asked") - asked.index("/ask") < many / 10, asked.index("/asked")
