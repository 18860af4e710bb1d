"""Kept-alive connections when their worker has to leave: nobody loses a request."""

from __future__ import annotations

import contextlib
import signal

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.load import load
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Wire, get

# Twice as long as a test may take: who leaves, leaves of its own accord.
NEVER = 240
REQUESTS = 200

each_kind = pytest.mark.parametrize("kind", kinds.KEPT_AND_GUNICORN, ids=str)


def serve(spawn: Spawn, kind: Kind, workers: int = 2, **settings: object) -> Server:
    threads = {"threads": 4} if kind is kinds.GTHREAD else {}
    settings = {**kind.settings, **threads, "workers": workers, **settings}
    return spawn("kitchen:app", settings={"graceful_timeout": NEVER, **settings})


@each_kind
def test_a_request_after_term_is_answered_and_told_to_close(spawn: Spawn, kind: Kind) -> None:
    server = serve(spawn, kind)
    with Wire(server.address) as wire, Wire(server.address) as silent:
        for each in (wire, silent):
            assert each.send(get("/hello")).response().header("Connection") == "keep-alive"
        server.send_signal(signal.SIGTERM)

        def told() -> bool:
            # The worker hears of it a moment after its master.
            return wire.send(get("/hello")).response().header("Connection") == "close"

        until(told, "Connection: close")
        assert wire.is_closed()
        # Nobody waits for ever for those who say nothing.
        assert silent.is_closed()
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("says keep-alive and closes")
def test_idle_connections_end_before_the_request_in_flight(spawn: Spawn) -> None:
    """Two seconds after TERM, however long the rest takes. In sync they end after it."""
    server = serve(spawn, kinds.GTHREAD, workers=1)
    path = server.directory / "gate"
    with Wire(server.address) as idle, Wire(server.address) as busy:
        assert idle.send(get("/hello")).response().header("Connection") == "keep-alive"
        busy.send(get(f"/gate{path}"))
        server.wait_log("in the gate")
        server.send_signal(signal.SIGTERM)
        assert idle.is_closed()
        path.touch()
        response = busy.response()
        assert response.body == b"through the gate"
        assert response.header("Connection") == "close"
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("a connection stays with its worker")
@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_after_term_while_everybody_is_busy(
    spawn: Spawn, kind: Kind, workers: int
) -> None:
    """It is served by whoever is done first, and told to close."""
    server = serve(spawn, kind, workers=workers, threads=1)
    path = server.directory / "gate"
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Wire(server.address)) for _ in range(6)]
        for wire in idle:
            assert wire.send(get("/hello")).response().header("Connection") == "keep-alive"
        busy = [stack.enter_context(Wire(server.address)) for _ in range(workers)]
        for wire in busy:
            wire.send(get(f"/gate{path}"))
        server.wait_log("in the gate", workers)
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        for wire in idle:
            wire.send(get("/hello"))
        path.touch()
        for wire in idle:
            response = wire.response()
            assert response.body == b"Hello, World!"
            assert response.header("Connection") == "close"
            assert wire.is_closed()
        for wire in busy:
            assert wire.response().body == b"through the gate"
            assert wire.is_closed()
    assert server.wait_exit() == 0


@each_kind
def test_term_loses_nothing(spawn: Spawn, kind: Kind) -> None:
    """Every client ends because it was told to."""
    server = serve(spawn, kind)
    with load(server.address, again=False) as clients:
        clients.wait_answers(REQUESTS)
        server.send_signal(signal.SIGTERM)
        clients.join()
    clients.assert_nothing_lost()
    assert [tally.told_to_close for tally in clients.tallies] == [1] * len(clients.tallies)
    assert server.wait_exit() == 0


@each_kind
def test_hup_loses_nothing(spawn: Spawn, kind: Kind) -> None:
    server = serve(spawn, kind)
    with load(server.address) as clients:
        for count in (1, 2, 3):
            before = set(server.workers())
            clients.wait_answers(REQUESTS)
            server.send_signal(signal.SIGHUP)
            server.wait_log("Hang up: Master", count)
            until(
                lambda before=before: len(now := set(server.workers())) == 2 and not before & now,
                "two new workers and no old one",
                show=server.log,
            )
        clients.wait_answers(REQUESTS)
    clients.assert_nothing_lost()
    server.assert_clean_exit()


@each_kind
def test_fewer_workers_lose_nothing(spawn: Spawn, kind: Kind) -> None:
    server = serve(spawn, kind)
    with load(server.address) as clients:
        for number, count in [(signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)]:
            clients.wait_answers(REQUESTS)
            server.send_signal(number)
            until(
                lambda count=count: len(server.workers()) == count,
                f"{count} workers",
                show=server.log,
            )
        clients.wait_answers(REQUESTS)
    clients.assert_nothing_lost()
    server.assert_clean_exit()


@each_kind
def test_max_requests_loses_nothing(spawn: Spawn, kind: Kind) -> None:
    server = serve(spawn, kind, max_requests=100, max_requests_jitter=20)
    with load(server.address) as clients:
        server.wait_log("Autorestarting worker after current request.", 10)
    clients.assert_nothing_lost()
    assert sum(tally.told_to_close for tally in clients.tallies) > 0
    server.assert_clean_exit()
