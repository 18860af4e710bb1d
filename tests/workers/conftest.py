"""Servers of the worker suite run the same little apps as the wire suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.server import Kitchen, Server, Spawn
from harness.validate import assert_no_complaints


@pytest.fixture(scope="module", params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kitchen(module_spawn: Spawn, transport: str) -> Iterator[Kitchen]:
    servers: dict[str, Server] = {}

    def started(env: dict[str, str] | None = None, **settings: object) -> Server:
        key = repr((env, settings))
        if key not in servers:
            servers[key] = module_spawn("kitchen:app", transport, settings=settings, env=env or {})
        return servers[key]

    yield started
    for server in servers.values():
        assert_no_complaints(server.log())
