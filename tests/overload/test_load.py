"""More load than a server can carry, for long: it stays alive and goes on answering."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.shift import Start
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("Gunicorn has no such limit")


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_worker_that_always_has_somebody_waiting_lives_on(start: Start, kind: Kind) -> None:
    """Its heart beats and its signals are heard, though a request is ready whenever one ends."""
    shift = start(kind, workers=1, max_queue=6, timeout=1, graceful_timeout=10)
    pids = shift.workers
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
    # Several times as long as the worker may be silent.
    time.sleep(4)
    over.set()
    for thread in clients:
        thread.join()
    assert not wrong
    assert set(seen) == {200, 503}
    assert shift.workers == pids
    assert "TIMEOUT" not in shift.server.assert_clean_exit(signal.SIGTERM)
