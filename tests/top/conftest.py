"""Servers to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.server import Server, Spawn


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ours("can not be looked at without a setting"))


@pytest.fixture(scope="module")
def server(module_spawn: Spawn) -> Server:
    """Two workers with two threads each."""
    settings = {"workers": 2, "worker_class": "gthread", "threads": 2, "pidfile": "master.pid"}
    return module_spawn("kitchen:app", settings=settings)
