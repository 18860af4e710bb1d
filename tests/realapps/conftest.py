"""Real projects, four workers of either class, three ways in: direct, nginx over TCP, nginx over a
unix socket. nginx keeps connections open to workers that do."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from harness.mode import MODES, Mode
from harness.nginx import Nginx, available, nginx
from harness.server import TESTS, Command, Server, spawner

EXAMPLES = TESTS.parent / "examples"
TIMEOUT = 60


class Browser(requests.Session):
    """A session that knows its site and never waits for ever."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        # A proxy of the machine's environment has nothing to do with loopback.
        self.trust_env = False

    def request(self, method, url, *args, **kwargs):  # type: ignore[no-untyped-def]
        kwargs.setdefault("timeout", TIMEOUT)
        return super().request(method, self.base + url, *args, **kwargs)


@dataclass
class Site:
    """A running project as its users see it."""

    server: Server
    url: str
    proxy: Nginx | None

    @property
    def secure(self) -> bool:
        """nginx tells the app that the client came by https."""
        return self.proxy is not None

    @property
    def public_url(self) -> str:
        """What the app believes its own address to be."""
        return self.url.replace("http:", "https:") if self.secure else self.url

    def browser(self) -> Browser:
        return Browser(self.url)


@dataclass
class Upload:
    path: Path
    answer: str
    """What the example projects answer to it: size and SHA-256."""


@pytest.fixture(scope="session")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """50 MB that no compression and no repeated buffer could fake."""
    path, random_bytes = tmp_path_factory.mktemp("upload") / "50mb", random.Random(50).randbytes
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(50):
            block = random_bytes(1_000_000)
            digest.update(block)
            file.write(block)
    return Upload(path, f"50000000 {digest.hexdigest()}\n")


def prepare_django(command: Command, env: dict[str, str]) -> None:
    subprocess.run(
        [command.python, "manage.py", "prepare"],
        cwd=EXAMPLES / "django",
        env=os.environ | env,
        check=True,
        timeout=120,
    )


@dataclass(frozen=True)
class Way:
    """How requests get to the application."""

    mode: Mode
    proxied: bool

    def __str__(self) -> str:
        return (
            f"{self.mode.worker}-nginx-{self.mode.transport}"
            if self.proxied
            else (f"{self.mode.worker}-direct")
        )


WAYS = [Way(mode, True) for mode in MODES] + [
    Way(mode, False) for mode in MODES if mode.transport == "tcp"
]


@pytest.fixture(scope="module", params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    if found.proxied and not available():
        pytest.skip("nginx is not installed")
    return found


@pytest.fixture(scope="module")
def serve(
    command: Command, way: Way, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """`serve(name)` runs `examples/<name>` with its own gunicorn.conf.py."""
    with contextlib.ExitStack() as stack:
        spawn = stack.enter_context(spawner(tmp_path_factory.mktemp("server"), command, way.mode))

        def started(name: str) -> Site:
            env = {"EXAMPLE_DATA": str(tmp_path_factory.mktemp("data")), "PYTHONPATH": ""}
            if name == "django":
                prepare_django(command, env)
            server = spawn(None, cwd=EXAMPLES / name, env=env, ready=False)
            server.wait_ready(workers=4)
            if not way.proxied:
                return Site(server, server.url, None)
            proxy = stack.enter_context(
                nginx(server.directory / "nginx", server.address, keepalive=way.mode.keeps_alive)
            )
            return Site(server, proxy.url, proxy)

        yield started
