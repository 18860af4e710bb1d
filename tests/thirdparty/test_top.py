"""`rgunicorn stats` on worker classes with an event loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Command, Spawn, spawner
from harness.wait import until
from harness.wire import ask, get
from top.looking import at_the_gate, currents, gate, look


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    if beside_others.is_gunicorn:
        pytest.skip("Gunicorn can not be looked at without a setting")
    with spawner(tmp_path, beside_others) as started:
        yield started


def test_gevent(spawn: Spawn) -> None:
    server = spawn("kitchen:app", settings={"worker_class": "gevent"})
    with at_the_gate(server, "one", "two"):
        found = currents(look(server.pid))
        assert [it["path"] for it in found] == [gate(server, name) for name in ("one", "two")]
        assert all(it["age"] > 0 and it["phase"] == "app" for it in found)
        ask(server.address, get("/hello"))
    until(lambda: look(server.pid)["totals"].get("requests") == 3, "three requests to be counted")
    assert currents(look(server.pid)) == []
