"""Servers whose workers die."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.kinds import Kind
from harness.scene import Scene
from harness.server import Spawn

SYNC = Kind("sync", {"worker_class": "sync"}, False)
GTHREAD = Kind("gthread", {"worker_class": "gthread", "threads": 4}, True)


@pytest.fixture(scope="module", params=(SYNC, GTHREAD), ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def scene(module_spawn: Spawn, kind: Kind) -> Iterator[Scene]:
    """A server with workers that tests kill."""
    settings = {"accesslog": "-", "workers": 2, "timeout": 60, **kind.settings}
    yield Scene(module_spawn("lethal:application", settings=settings))
