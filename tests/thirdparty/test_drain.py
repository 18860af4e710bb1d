"""TERM while clients wait: nobody is lost in the worker classes whose loop is somebody else's."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.gate import enter, gate
from harness.server import Command, Spawn, spawner
from harness.wait import until
from harness.wire import Wire, get

APPS = Path(__file__).parent / "async_apps"
HELLO = b"Hello, World!"
QUEUE = 20
NEVER = 300

# The application keeps its loop, or the only place there is, until the gate is open: who comes
# meanwhile waits in the queue of the listener.
FULL = {
    "gevent": ("kitchen:app", {"worker_connections": 1}),
    "gevent_pywsgi": ("kitchen:app", {"worker_connections": 1}),
    "tornado": ("kitchen:app", {}),
    "asgi": ("stuck:app", {"asgi_lifespan": "off"}),
}
# Those that say how long a connection lasts.
SAYS = ("gevent", "tornado", "asgi")


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    if beside_others.is_gunicorn:
        pytest.skip("wrong in Gunicorn 27.0.1: what waits in the backlog at TERM is reset")
    with spawner(tmp_path, beside_others) as started:
        yield started


def start(spawn: Spawn, name: str, **more: Any) -> Any:
    app, settings = FULL[name]
    settings = {
        "worker_class": name,
        "keepalive": NEVER,
        "graceful_timeout": 60,
        **settings,
        **more,
    }
    return spawn(app, settings=settings, env={"PYTHONPATH": f"{APPS}:{APPS.parents[1] / 'apps'}"})


@pytest.mark.parametrize("name", FULL)
def test_who_waits_at_term_is_answered(spawn: Spawn, name: str) -> None:
    server = start(spawn, name)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(enter(server))
        queue = [stack.enter_context(Wire(server.address)) for _ in range(QUEUE)]
        # All but one, who says later what it wants.
        for wire in queue[1:]:
            wire.send(get("/hello", "Connection: close"))
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate(server).touch()
        queue[0].send(get("/hello", "Connection: close"))
        assert first.response().status == 200
        # It may be a connection that is kept, and has the only place.
        first.close()
        for wire in queue:
            assert wire.response().body == HELLO
            wire.close()
    assert server.wait_exit() == 0


@pytest.mark.parametrize("name", SAYS)
def test_during_the_delay_connections_are_told_to_end(spawn: Spawn, name: str) -> None:
    server = start(spawn, name, shutdown_delay=NEVER, worker_connections=1000)
    with Wire(server.address) as wire:
        kept = wire.send(get("/hello")).response()
        assert (kept.header("Connection") or "keep-alive").lower() == "keep-alive"
        server.send_signal(signal.SIGTERM)
        server.wait_log("Stopping in 300 s")

        def told() -> bool:
            # These look once a second.
            response = wire.send(get("/hello")).response()
            assert response.body == HELLO
            return response.header("Connection") == "close"

        until(told, "Connection: close", show=server.log)
        assert wire.is_closed()
    with Wire(server.address) as wire:
        assert wire.send(get("/hello")).response().header("Connection") == "close"
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
