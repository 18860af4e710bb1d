"""What the log says of workers that die, for worker classes with a loop of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.scene import Scene, pid_of
from harness.server import Command, spawner, thirdparty

HERE = Path(__file__).parent
ENV = {"PYTHONPATH": f"{HERE / 'async_apps'}:{HERE.parent / 'apps'}"}
OURS = {
    "gevent": "lethal:application",
    "gevent_pywsgi": "lethal:application",
    "tornado": "lethal:application",
    "asgi": "lethal_asgi:app",
}


@pytest.fixture(scope="module")
def ours() -> Command:
    found = thirdparty("rgunicorn")
    if found is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    return found


@pytest.fixture(scope="module", params=OURS)
def scene(
    request: pytest.FixtureRequest, ours: Command, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    settings = {"accesslog": "-", "worker_class": request.param, "workers": 2, "timeout": 60}
    with spawner(tmp_path_factory.mktemp("server"), ours) as spawn:
        yield Scene(spawn(OURS[request.param], settings=settings, env=ENV))


def test_requests_are_named(scene: Scene) -> None:
    assert scene.send("/segv?secret=1", "X-Request-ID: mine") == b""
    line = scene.error("Lost request", "/segv")
    assert "(id: mine, from: 127.0.0.1, age: " in line and "phase: in the application" in line
    assert line.endswith("its worker was killed by SIGSEGV")
    assert scene.access("/segv") == "500"
    assert "in die_segv\n" in scene.stacks(pid_of(line))
    assert "secret" not in scene.server.log()


def test_requests_that_have_ended_are_not(scene: Scene) -> None:
    assert b"here" in scene.send("/fine", "Connection: close")
    scene.send("/exit")
    assert "exited with code 7" in scene.error("Lost request", "/exit")
    assert "request: GET /fine" not in scene.server.log()


def test_how_far_it_was(scene: Scene) -> None:
    scene.send("/stream")
    # Tornado's WSGI container sends nothing before the application has ended.
    waits = scene.server.settings["worker_class"] == "tornado"
    phase = "in the application" if waits else "sending its response"
    assert f"phase: {phase}" in scene.error("Lost request", "/stream")


@pytest.mark.parametrize("worker_class", ["gevent", "asgi"])
def test_stuck_in_c(worker_class: str, ours: Command, tmp_path: Path) -> None:
    settings = {"accesslog": "-", "worker_class": worker_class, "timeout": 2}
    with spawner(tmp_path, ours) as spawn:
        scene = Scene(spawn(OURS[worker_class], settings=settings, env=ENV))
        assert scene.send("/hang") == b""
        line = scene.error("Stuck request", "/hang")
        assert "in hang\n" in scene.stacks(pid_of(line))
        assert scene.access("/hang") == "504"


def test_stacks_of_somebody_elses_worker(ours: Command, tmp_path: Path) -> None:
    """uvicorn-worker notes no requests."""
    settings = {"worker_class": "uvicorn_worker.UvicornWorker"}
    with spawner(tmp_path, ours) as spawn:
        scene = Scene(spawn("lethal_asgi:app", settings=settings, env=ENV))
        (worker,) = scene.server.workers()
        scene.send("/segv")
        assert "in die_segv\n" in scene.stacks(str(worker))
