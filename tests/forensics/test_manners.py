"""What the black box must not do: get in the way of others, or stay behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.scene import Scene, pid_of
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, ask, get

pytestmark = pytest.mark.ours("has no black box")

FLIGHTS = "/memfd:rgunicorn-flights"

OWN_LOGGER = """
from gunicorn.glogging import Logger

class Own(Logger):
    def access(self, resp, req, environ, request_time):
        self.info(
            "own %s %s %s %s %s %s", resp.status, req.method, req.path, req.headers,
            environ["HTTP_X_REQUEST_ID"], request_time.total_seconds() >= 0,
        )

logger_class = Own
"""


def test_a_logger_of_ones_own_writes_the_line(spawn: Spawn) -> None:
    scene = Scene(spawn("lethal:application", config=OWN_LOGGER))
    scene.send("/kill", "X-Request-ID: mine")
    scene.server.wait_log(
        "own 500 Internal Server Error GET /kill [('X-REQUEST-ID', 'mine')] mine True"
    )


def test_a_logger_that_fails_harms_nobody(spawn: Spawn) -> None:
    config = OWN_LOGGER.replace("self.info(", "raise KeyError(")
    scene = Scene(spawn("lethal:application", config=config))
    scene.send("/kill", "X-Request-ID: mine")
    scene.server.wait_log("[ERROR] Exception in the access log")
    scene.server.wait_log("Booting worker", 2)
    scene.server.assert_clean_exit()


def test_the_line_has_the_pid_of_the_worker(spawn: Spawn) -> None:
    settings = {"accesslog": "-", "access_log_format": "line %(p)s %(U)s %(H)s %({x-request-id}i)s"}
    scene = Scene(spawn("lethal:application", settings=settings))
    scene.send("/kill/%41", "X-Request-ID: mine")
    pid = pid_of(scene.error("Lost request", "/kill/%41"))
    scene.server.wait_log(f"line <{pid}> /kill/A HTTP/1.1 mine")


@pytest.mark.parametrize("how", ["PYTHONFAULTHANDLER", "the application"])
def test_who_has_faulthandler_keeps_it(spawn: Spawn, how: str) -> None:
    own = "def post_fork(server, worker):\n    import faulthandler\n    faulthandler.enable()\n"
    by_env = how == "PYTHONFAULTHANDLER"
    scene = Scene(
        spawn(
            "lethal:application",
            env={"PYTHONFAULTHANDLER": "1"} if by_env else {},
            config="" if by_env else own,
        )
    )
    scene.send("/segv")
    pid = pid_of(scene.error("Lost request", "/segv"))
    scene.server.wait_log(f"Worker (pid:{pid}) was sent SIGSEGV!")
    log = scene.server.log()
    assert "\nFatal Python error: Segmentation fault" in log
    assert "Stacks of worker" not in log


def test_children_of_the_application_are_their_own_affair(spawn: Spawn) -> None:
    scene = Scene(spawn("lethal:application"))
    assert ask(scene.server.address, get("/child")).body == str(-signal.SIGSEGV).encode()
    assert scene.send("/kill") == b""
    scene.error("Lost request", "/kill")
    scene.server.wait_log("was sent SIGKILL!")
    log = scene.server.log()
    assert "Segmentation fault" not in log and log.count("Lost request") == 1


def test_a_child_that_comes_back_ends_no_request_of_its_parent(spawn: Spawn) -> None:
    scene = Scene(spawn("lethal:application"))
    (worker,) = scene.server.workers()
    with Wire(scene.server.address) as wire:
        wire.send(get("/lost-child"))
        # The child's answer, for it has the socket too.
        wire.read_until(b"\r\n\r\n")
        os.kill(worker, signal.SIGKILL)
    assert pid_of(scene.error("Lost request", "/lost-child")) == str(worker)


def test_nothing_of_the_dead_stays_in_the_master(spawn: Spawn) -> None:
    scene = Scene(spawn("lethal:application", settings={"workers": 2}))
    master = Path(f"/proc/{scene.server.pid}")

    def held() -> tuple[int, int]:
        until(lambda: len(scene.server.workers()) == 2, "two workers", show=scene.server.log)
        scene.send("/fine")
        maps = (master / "maps").read_text()
        return len(list((master / "fd").iterdir())), maps.count(FLIGHTS)

    before = held()
    assert before[1] == 2
    for number in range(3):
        scene.send(f"/kill/{number}")
        scene.error("Lost request", f"/kill/{number}")
    assert held() == before
    # Nor do workers keep what was their siblings'.
    youngest = Path(f"/proc/{max(scene.server.workers())}/maps").read_text()
    assert youngest.count(FLIGHTS) == 1
