from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.server import Command, Server, Spawn, free_port, spawner
from harness.status import Pages

Watched = Callable[..., tuple[Server, Pages]]


def watching(spawn: Spawn, directory: Path) -> Watched:
    def watched(
        app: str = "kitchen:app", unix: bool = False, ready: bool = True, **settings: object
    ) -> tuple[Server, Pages]:
        where = str(directory / "status.sock") if unix else ("127.0.0.1", free_port())
        pages = Pages(where)
        server = spawn(
            app,
            ready=False,
            settings={"workers": 2, "status_bind": pages.bind, **settings},
            env={"FILE": str(directory)},
        )
        if ready:
            pages.wait_ready(server)
        return server, pages

    return watched


@pytest.fixture
def watched(spawn: Spawn, tmp_path: Path) -> Watched:
    """`watched(app, unix, **settings)`: a server with status pages, when it is ready."""
    return watching(spawn, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Watched]:
    """The same for all tests of a module."""
    root = tmp_path_factory.mktemp("watched")
    with spawner(root, command) as spawn:
        yield watching(spawn, root)
