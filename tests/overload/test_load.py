"""More load than a server can carry, for long: it stays alive and goes on answering."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.shift import Shift, Start, start_shift
from harness.wire import Wire, get


def under_load(shift: Shift, seconds: float) -> Counter[int]:
    """The answers that 14 clients get, by status; each nap takes 10 ms."""
    over = threading.Event()
    seen: Counter[int] = Counter()
    wrong: list[BaseException] = []

    def client() -> None:
        try:
            while not over.is_set():
                with Wire(shift.address) as wire:
                    while not over.is_set():
                        response = wire.send(get("/nap/0.01")).response()
                        seen[response.status] += 1
                        if response.header("Connection") == "close":
                            break
        except BaseException as error:
            wrong.append(error)

    clients = [threading.Thread(target=client) for _ in range(14)]
    for thread in clients:
        thread.start()
    time.sleep(seconds)
    over.set()
    for thread in clients:
        thread.join()
    assert not wrong, shift.server.log()
    return seen


@pytest.mark.ours("Gunicorn has no such limit")
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_rest_is_refused_and_nothing_else_goes_wrong(start: Start, kind: Kind) -> None:
    shift = start(kind, workers=1, max_queue=6, timeout=1, graceful_timeout=10)
    pids = shift.workers
    assert set(under_load(shift, 2)) == {200, 503}
    assert shift.workers == pids
    assert "TIMEOUT" not in shift.server.assert_clean_exit(signal.SIGTERM)


@pytest.mark.ours("Gunicorn's sync worker keeps no connections")
def test_a_worker_that_always_has_somebody_waiting_hears_its_signals(spawn: Spawn) -> None:
    """Its heart beats, though a request is ready whenever one ends: over TLS none can go
    elsewhere. The load lasts several times as long as the worker may be silent."""
    settings = {**kinds.SYNC_KEPT.settings, "workers": 1, "timeout": 1, "graceful_timeout": 10}
    shift = start_shift(spawn, settings, "tls")
    pids = shift.workers
    assert set(under_load(shift, 4)) == {200}
    assert shift.workers == pids
    assert "TIMEOUT" not in shift.server.assert_clean_exit(signal.SIGTERM)
