"""Servers of this suite run `ledger:app`, whose ledger says what was run, with an access log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.kinds import Kind
from harness.server import Command, Spawn, spawner
from harness.shift import Shift, Start, start_shift


@pytest.fixture(scope="module", params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def module_spawn(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Spawn]:
    """Starts servers that all tests of a module share."""
    with spawner(tmp_path_factory.mktemp("server"), command) as started:
        yield started


def _settings(kind: Kind, settings: dict[str, object]) -> dict[str, object]:
    threads = {"threads": 2} if "threads" in kind.settings else {}
    return {**kind.settings, **threads, "accesslog": "-", **settings}


@pytest.fixture(scope="module")
def shared(module_spawn: Spawn, transport: str) -> Start:
    """`shared(kind, **settings)`: for all tests of the module that ask for the same server."""
    shifts: dict[str, Shift] = {}

    def started(kind: Kind, **settings: object) -> Shift:
        key = repr((kind.name, settings))
        if key not in shifts:
            shifts[key] = start_shift(module_spawn, _settings(kind, settings), transport)
        return shifts[key]

    return started


@pytest.fixture
def start(spawn: Spawn) -> Start:
    """The same for a test of its own, over TCP."""

    def started(kind: Kind, **settings: object) -> Shift:
        return start_shift(spawn, _settings(kind, settings))

    return started
