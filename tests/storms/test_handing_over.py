"""A worker is killed while it gives a connection to a sibling: it goes on there, once, or here."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest

from harness import kinds
from harness.proc import clients_of, is_at_rest
from harness.wait import until
from harness.wire import Wire, get, post
from storms.conftest import Open, Site
from storms.delay import delayed
from storms.inside import DELAY
from storms.test_kills import stopped

# The message is in the queue.
GIVEN = re.compile(r"sendmmsg\(.*msg_len=[1-9]")
BODY = b"0123456789" * 5000


@pytest.mark.parametrize("keeper", (True, False), ids=("keeper", "without"))
def test_what_has_been_given_is_not_told_of(open_site: Open, keeper: bool, tmp_path: Path) -> None:
    site = open_site(kinds.SYNC, workers=2, worker_keeper=keeper)
    # Who has been under way for a second stays where he is: the machine may have been too slow.
    assert any(goes_on(site, tmp_path / str(number)) for number in range(5))


def goes_on(site: Site, trace: Path) -> bool:
    """Whether an upload goes on at a sibling whose worker is killed inside sendmmsg(2), with which
    it gives it away before a request runs."""
    port, name = site.server.address[1], f"upload{trace.name}"
    raw = post("/echo", BODY, f"X-Id: {name}")
    site.settle()
    with contextlib.ExitStack() as stack:
        upload = stack.enter_context(Wire(site.server.address))
        upload.send(raw[:1000])
        own = upload.sock.getsockname()[1]

        def owner() -> int | None:
            return next((pid for pid in site.workers if own in clients_of(pid, port)), None)

        pid = until(owner, "it to be let in", show=site.news)
        (other,) = set(site.workers) - {pid}
        until(lambda: is_at_rest(pid), "the worker to wait", show=site.news)
        until(lambda: is_at_rest(other), "the sibling to wait", show=site.news)
        with stopped(site, other), delayed([pid], "sendmmsg", f"delay_exit={DELAY}", trace):
            runs = stack.enter_context(Wire(site.server.address))
            runs.send(get("/hello"))
            try:
                until(lambda: GIVEN.search(trace.read_text()), "it to be given", 3)
            except AssertionError:
                # Something else was in the way.
                return False
            finally:
                os.kill(pid, signal.SIGKILL)
        assert upload.send(raw[1000:]).response().body == BODY
    assert [run.id for run in site.ledger.runs()].count(name) == 1
    site.settle({pid})
    lost = [line for line in site.log().splitlines() if "Lost request" in line]
    assert not any("POST /echo" in line for line in lost), lost
    return True
