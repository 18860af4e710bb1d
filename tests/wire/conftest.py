"""One server per module, transport and settings, with every little app of tests/apps behind it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Address, Kitchen, Server, Spawn
from harness.validate import assert_no_complaints


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 003 bytes no compression and no repeated block could fake."""
    path = tmp_path_factory.mktemp("files") / "big"
    path.write_bytes(random.Random(7).randbytes(300_003))
    return path


@pytest.fixture(scope="module", params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kitchen(module_spawn: Spawn, transport: str, big_file: Path) -> Iterator[Kitchen]:
    servers: dict[str, Server] = {}

    def started(env: dict[str, str] | None = None, **settings: object) -> Server:
        key = repr((env, settings))
        if key not in servers:
            servers[key] = module_spawn(
                "kitchen:app",
                transport,
                settings=settings,
                env={"FILE": str(big_file), **(env or {})},
            )
        return servers[key]

    yield started
    for server in servers.values():
        assert_no_complaints(server.log())


@pytest.fixture
def server(kitchen: Kitchen) -> Server:
    """The server with default settings."""
    return kitchen()


@pytest.fixture
def address(server: Server) -> Address:
    return server.address
