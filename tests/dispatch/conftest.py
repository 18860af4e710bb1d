"""Servers of the dispatch suite run `ledger:app`, which writes down who ran what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.kinds import Kind
from harness.server import Command, Spawn, spawner
from harness.shift import Shift, Start, start_shift

FIELDS = ("config", "command")


@pytest.fixture(scope="module", params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(spawn: Spawn, transport: str) -> Start:
    """`start(kind, config="", workers=2, **settings)`: a server of this test's own."""

    def started(kind: Kind, **settings: object) -> Shift:
        fields = {name: settings.pop(name) for name in FIELDS if name in settings}
        return start_shift(spawn, {**kind.settings, "workers": 2, **settings}, transport, **fields)

    return started


@pytest.fixture(scope="module")
def module_spawn(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Spawn]:
    """Starts servers that all tests of a module share."""
    with spawner(tmp_path_factory.mktemp("server"), command) as started:
        yield started


@pytest.fixture(scope="module")
def shared(module_spawn: Spawn, transport: str) -> Start:
    """The same, shared by all tests of the module that ask for the same server."""
    shifts: dict[str, Shift] = {}

    def started(kind: Kind, **settings: object) -> Shift:
        key = repr((kind.name, settings))
        if key not in shifts:
            fields = {name: settings.pop(name) for name in FIELDS if name in settings}
            merged = {**kind.settings, "workers": 2, **settings}
            shifts[key] = start_shift(module_spawn, merged, transport, **fields)
        return shifts[key]

    return started
