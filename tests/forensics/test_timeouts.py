"""M7: a worker whose heartbeat has stopped, and one that does not leave."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from harness.kinds import Kind
from harness.scene import Scene, pid_of
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("says nothing about the requests of a worker that hangs")


@pytest.fixture
def impatient(spawn: Spawn, kind: Kind) -> Scene:
    settings = {"accesslog": "-", "timeout": 2, **kind.settings}
    return Scene(spawn("lethal:application", settings=settings))


def test_stuck_in_c_with_the_gil(impatient: Scene) -> None:
    assert impatient.send("/hang?secret=1", "X-Request-ID: m7") == b""
    line = impatient.error("Stuck request", "/hang")
    assert "id: m7" in line and line.endswith("no heartbeat for 2 s")
    pid = pid_of(line)
    stacks = impatient.stacks(pid)
    found = re.search(r"hread 0x\w+ [^\n]*: GET /hang\n    File [^\n]* in (\w+)\n", stacks)
    assert found and found[1] == "hang", stacks
    assert impatient.access("/hang") == "504"
    log = impatient.server.wait_log(
        "was sent SIGKILL! Perhaps out of memory? (No: it had not left in time.)"
    )
    assert log.count(f"[CRITICAL] WORKER TIMEOUT (pid:{pid})") == 1
    assert "Lost request" not in log and "secret" not in log


@pytest.mark.parametrize("kind", ["sync"], indirect=False)
def test_stuck_in_python(spawn: Spawn, kind: str) -> None:
    """SIGABRT ends the request: the worker's own access line is the only one."""
    settings = {"accesslog": "-", "timeout": 2, "worker_class": kind}
    scene = Scene(spawn("lethal:application", settings=settings))
    assert scene.send("/sleep").startswith(b"HTTP/1.1 500 ")
    pid = pid_of(scene.error("Stuck request", "/sleep"))
    scene.server.wait_log("Booting worker", 2)
    assert scene.access("/sleep") == "500"
    assert "in application\n" in scene.stacks(pid)
    assert "Fatal Python error" not in scene.server.log()


def test_a_worker_that_does_not_leave(spawn: Spawn, kind: Kind) -> None:
    settings = {"accesslog": "-", "timeout": 60, "graceful_timeout": 1, **kind.settings}
    scene = Scene(spawn("lethal:application", settings=settings))
    with Wire(scene.server.address) as wire:
        wire.send(get("/sleep"))
        (worker,) = scene.server.workers()
        until(lambda: _is_asleep(worker), "the request to run", show=scene.server.log)
        scene.server.send_signal(signal.SIGTERM)
        assert scene.server.wait_exit() == 0
    line = scene.error("Stuck request", "/sleep")
    assert "it did not leave in time" in line
    assert "GET /sleep\n" in scene.stacks(pid_of(line))
    assert scene.access("/sleep") == "500"


def test_a_worker_that_is_stopped_has_no_stacks(spawn: Spawn) -> None:
    scene = Scene(spawn("lethal:application", settings={"timeout": 1}))
    scene.send("/fine")
    (worker,) = scene.server.workers()
    os.kill(worker, signal.SIGSTOP)
    scene.server.wait_log(f"Worker (pid:{worker}) wrote no stacks: it is stopped")
    scene.server.wait_log("Booting worker", 2)


def _is_asleep(pid: int) -> bool:
    calls = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/wchan")]
    return any("nanosleep" in call for call in calls)
