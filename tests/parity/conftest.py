"""Pairs of servers: real Gunicorn and the one under test, same app, same configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from harness.server import Command, Server, Spawn


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

    def make(app: str | None, transport: str = "tcp", ready: bool = True, **fields: object) -> Pair:
        key = repr((app, transport, sorted(fields.items(), key=lambda item: item[0])))
        if key not in pairs:
            theirs, ours = (
                spawn(app, transport, ready=False, command=which, **fields)
                for which in (gunicorn, command)
            )
            pairs[key] = Pair(theirs, ours)
            if ready:
                theirs.wait_ready()
                ours.wait_ready()
        return pairs[key]

    return make


@pytest.fixture
def pair(spawn: Spawn, gunicorn: Command, command: Command) -> MakePair:
    """`pair(app, settings=...)`: two servers of this test's own."""
    return maker(spawn, gunicorn, command)


@pytest.fixture(scope="module")
def shared_pair(module_spawn: Spawn, gunicorn: Command, command: Command) -> MakePair:
    """The same, one pair per module and configuration."""
    return maker(module_spawn, gunicorn, command)
