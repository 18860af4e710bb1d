"""The uwsgi protocol beside the workers of other packages: gevent's speaks it, the others that have
a server of their own say at the start that they do not.

The suite of `tests/uwsgi` itself runs in the gevent worker too: test_gevent_wire.py.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compare import same
from harness.server import Command, Server, Spawn, clean_environment, spawner, thirdparty
from uwsgi.packets import GOOD, environ_of

APPS = Path(__file__).parent / "async_apps"
GREEN_SOCKETS = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"


@pytest.fixture(scope="module")
def ours() -> Command:
    found = thirdparty("rgunicorn")
    if found is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    return found


@pytest.fixture(scope="module")
def servers(ours: Command, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A gthread worker and a gevent worker."""
    with spawner(tmp_path_factory.mktemp("uwsgi"), ours) as started:
        yield [environ_server(started, worker) for worker in ("gthread", "gevent")]


def environ_server(spawn: Spawn, worker: str) -> Server:
    return spawn("environ:app", settings={"worker_class": worker, "protocol": "uwsgi"})


@pytest.mark.parametrize("name", GOOD)
def test_the_environ_is_that_of_a_native_worker(servers: list[Server], name: str) -> None:
    native, green = (environ_of(server, GOOD[name]) for server in servers)
    same(green, native)


@pytest.mark.parametrize(
    ("worker", "name", "app"),
    [
        ("gevent_pywsgi", "GeventPyWSGIWorker", "fast:app"),
        (GREEN_SOCKETS, "GeventWebSocketWorker", "fast:app"),
        ("asgi", "ASGIWorker", "fast:app"),
        ("uvicorn_worker.UvicornWorker", "UvicornWorker", "fast:app"),
        ("aiohttp.GunicornWebWorker", "GunicornWebWorker", "aio:app"),
        ("tornado", "TornadoWorker", "torn:app"),
    ],
)
def test_a_server_that_speaks_http_only_is_refused(
    ours: Command, worker: str, name: str, app: str
) -> None:
    done = subprocess.run(
        [*ours.argv, "--check-config", "-k", worker, "--protocol", "uwsgi", app],
        env=clean_environment({"PYTHONPATH": str(APPS)}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"\nError: protocol = 'uwsgi' can not be used with {name}, whose server speaks HTTP only: "
        "use proxy_pass in nginx, or worker_class 'sync', 'gthread' or 'gevent'.\n"
    )
