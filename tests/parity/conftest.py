"""Pairs of servers: real Gunicorn and the one under test, same app, mode and configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.server import Command, Server, Spawn, spawner


@dataclass
class Pair:
    """`theirs` is real Gunicorn, `ours` the server under test."""

    theirs: Server
    ours: Server

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.theirs, self.ours))


MakePair = Callable[..., Pair]


def maker(spawn: Spawn, gunicorn: Command, command: Command) -> MakePair:
    pairs: dict[str, Pair] = {}

    def make(app: str | None, ready: bool = True, **fields: object) -> Pair:
        key = repr((app, sorted(fields.items(), key=lambda item: item[0])))
        if key not in pairs:
            theirs, ours = (
                spawn(app, ready=False, command=which, **fields) for which in (gunicorn, command)
            )
            pairs[key] = Pair(theirs, ours)
            if ready:
                theirs.wait_ready()
                ours.wait_ready()
        return pairs[key]

    return make


@pytest.fixture
def pair(tmp_path: Path, mode: Mode, gunicorn: Command, command: Command) -> Iterator[MakePair]:
    """`pair(app, settings=...)`: two servers of this test's own."""
    with spawner(tmp_path, command, mode) as spawn:
        yield maker(spawn, gunicorn, command)


@pytest.fixture(scope="module")
def shared_pair(mode_spawn: Spawn, gunicorn: Command, command: Command) -> MakePair:
    """The same, one pair per module, mode and configuration."""
    return maker(mode_spawn, gunicorn, command)
