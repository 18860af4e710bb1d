"""What a logger of one's own is told of requests that were never run."""

from __future__ import annotations

import time

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.shift import start_shift
from harness.waiting import all_occupied, answer, ask_many, refused

pytestmark = pytest.mark.ours("Gunicorn has no such limit")

LOGGER = """
from gunicorn.glogging import Logger

class logger_class(Logger):
    def access(self, resp, req, environ, request_time):
        words = (resp.status, req.method, req.path, environ["REMOTE_ADDR"], environ["HTTP_X_ID"])
        self.error("%s %s %s from %s called %s", *words)
"""


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_same_as_of_any_other(spawn: Spawn, kind: Kind) -> None:
    settings = {**kind.settings, "workers": 1, "max_queue": 2}
    shift = start_shift(spawn, settings, config=LOGGER)
    with all_occupied(shift):
        left, stays, full = ask_many(shift, 3)
        refused(shift, [full], 1)
        left.wire.half_close()
        # It waited already when the other one was answered.
        time.sleep(0.05)
    assert [answer(full).status, answer(stays).status] == [503, 200]
    for status, one in [("499 Client Closed Request", left), ("503 Service Unavailable", full)]:
        line = f"{status} GET /hello from 127.0.0.1 called {one.name}"
        shift.server.wait_log(line)
    left.wire.close()
