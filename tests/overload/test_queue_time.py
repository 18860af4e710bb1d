"""`max_queue_time`: who has waited longer for a thread is answered 503, at its turn or before."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harness import kinds, nginx
from harness.kinds import Kind
from harness.server import Address, free_port
from harness.shift import Shift, Start
from harness.uwsgi import request
from harness.wait import until
from harness.waiting import all_occupied, answer, ask_many, refused
from harness.wire import Response, Wire, ask, get

pytestmark = pytest.mark.ours("Gunicorn has no such limit")

EVER = 1000
"""Seconds that nobody waits in a test."""


def is_refusal(response: Response, retry_after: str) -> bool:
    if response.status != 503:
        return False
    assert response.header("Retry-After") == retry_after
    assert response.header("Connection") == "close"
    assert b"The request has waited too long" in response.body
    return True


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_it_does_not_wait_on_when_it_is_too_late(shared: Start, kind: Kind, workers: int) -> None:
    """All threads are still busy when the answer comes, wherever the request waited."""
    shift = shared(kind, workers=workers, max_queue_time=0.2)
    with all_occupied(shift):
        asked = ask_many(shift, 5)
        refused(shift, asked, 5)
        assert all(is_refusal(answer(one), "1") for one in asked)
    assert not any(shift.ledger.run(one.name) for one in asked)
    shift.server.wait_log("had waited too long (max_queue_time)")


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_start_goes_along_to_a_sibling(shared: Start, kind: Kind) -> None:
    """It is too late soon after its arrival, by which time it is in the queue between workers."""
    shift = shared(kind, workers=2, max_queue_time=EVER)
    with all_occupied(shift):
        start = time.time() - EVER + 1
        asked = ask_many(shift, 1, f"X-Request-Start: t={start:.3f}")
        refused(shift, asked, 1)
        assert is_refusal(answer(asked[0]), str(EVER))
    assert shift.ledger.run(asked[0].name) is None


@pytest.mark.parametrize(
    "unit", ["t={:.3f} 1", "{:.6f} 1", "{:.0f} 1e3", "t={:.0f} 1e6", "{:.0f} 1e9"]
)
def test_every_unit_of_the_start(shared: Start, unit: str) -> None:
    shift = shared(kinds.GTHREAD, workers=2, max_queue_time=EVER)
    form, factor = unit.split()
    old, new = (form.format((time.time() - age) * float(factor)) for age in (EVER + 60, 0))
    assert is_refusal(ask(shift.address, get("/hello", f"X-Request-Start: {old}")), str(EVER))
    assert ask(shift.address, get("/hello", f"X-Request-Start: {new}")).status == 200


@pytest.mark.parametrize(
    "value", ["", "t=", "yesterday", "-5", "t=1e9", "5", "99999999999999999999"]
)
def test_nonsense_is_no_start(shared: Start, value: str) -> None:
    shift = shared(kinds.SYNC, workers=1, max_queue_time=EVER)
    assert ask(shift.address, get("/hello", f"X-Request-Start: {value}")).status == 200


def test_a_request_on_a_kept_connection_has_a_start_of_its_own(shared: Start) -> None:
    shift = shared(kinds.GTHREAD, workers=2, max_queue_time=EVER)
    recent = f"X-Request-Start: t={time.time() - EVER / 2:.3f}"
    with Wire(shift.address) as wire:
        for headers in [[recent], [], [recent]]:
            assert wire.send(get("/hello", *headers)).response().status == 200
        old = f"X-Request-Start: t={time.time() - EVER - 60:.3f}"
        assert is_refusal(wire.send(get("/hello", old)).response(), str(EVER))
        assert wire.is_closed()


def test_over_uwsgi(start: Start) -> None:
    shift = start(kinds.SYNC, workers=1, max_queue_time=EVER, protocol="uwsgi")
    for age, status in [(0, 200), (EVER + 60, 503)]:
        raw = request("/hello", HTTP_X_REQUEST_START=f"t={time.time() - age:.3f}")
        assert ask(shift.address, raw).status == status


def test_only_a_trusted_peer_is_believed(start: Start) -> None:
    shift = start(kinds.SYNC, workers=1, max_queue_time=EVER, forwarded_allow_ips="10.1.2.3")
    old = f"X-Request-Start: t={time.time() - EVER - 60:.3f}"
    assert ask(shift.address, get("/hello", old)).status == 200


def through_a_stopped_worker(shift: Shift, address: Address, seconds: float) -> Response:
    """A request that lies in the kernel for so long: the one worker is stopped meanwhile."""
    (pid,) = shift.workers
    os.kill(pid, signal.SIGSTOP)
    try:
        sent = time.monotonic()
        with Wire(address).send(get("/hello")) as wire:
            until(lambda: time.monotonic() - sent > seconds, "the time to pass")
            os.kill(pid, signal.SIGCONT)
            return wire.response()
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(not nginx.available(), reason="nginx is not installed")
def test_behind_nginx_waiting_in_the_kernel_counts(start: Start) -> None:
    """As docs/deploy/nginx.md has it. Without the header nobody can know of it."""
    shift = start(kinds.SYNC, workers=1, max_queue_time=2)
    assert not isinstance(shift.address, str)
    port = free_port()
    site = f"""
        server {{
            listen 127.0.0.1:{port};
            location / {{
                proxy_pass http://127.0.0.1:{shift.address[1]};
                proxy_set_header X-Request-Start "t=${{msec}}";
            }}
        }}
    """
    with nginx.running(shift.server.directory / "nginx", port, site) as proxy:
        front = ("127.0.0.1", proxy.port)
        assert ask(front, get("/hello", "Connection: close")).status == 200
        # nginx does not hand Retry-After's neighbours through as they are; the status is enough.
        assert through_a_stopped_worker(shift, front, 2.1).status == 503
        assert ask(front, get("/hello", "Connection: close")).status == 200
    assert through_a_stopped_worker(shift, shift.address, 2.1).status == 200
