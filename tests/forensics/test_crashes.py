"""M8: a worker that crashes, is killed or leaves in the middle of a request."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.kinds import Kind
from harness.scene import Scene, pid_of
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, ask, get

pytestmark = pytest.mark.ours("says nothing about the requests of a dead worker")

# The path's first word, how it ended, and the last function on the stack, if there is one.
ENDS = [
    ("segv", "killed by SIGSEGV", "die_segv"),
    ("bus", "killed by SIGBUS", "die_bus"),
    ("fpe", "killed by SIGFPE", "die_fpe"),
    ("abort", "killed by SIGABRT", "die_abort"),
    ("kill", "killed by SIGKILL", None),
    ("exit", "exited with code 7", None),
    ("leave", "exited with code 0", None),
]


@pytest.mark.parametrize(("word", "end", "function"), ENDS, ids=[end[0] for end in ENDS])
def test_each_end_is_told(scene: Scene, word: str, end: str, function: str | None) -> None:
    assert scene.send(f"/{word}?secret=1", f"X-Request-ID: id-{word}") == b""
    line = scene.error("Lost request", f"/{word}")
    assert f"id: id-{word}, from: 127.0.0.1, age: " in line
    assert "phase: in the application" in line
    assert line.endswith(f"its worker {'was ' if 'killed' in end else ''}{end}")
    assert scene.access(f"/{word}") == "500"
    pid = pid_of(line)
    if function is not None:
        stacks = scene.stacks(pid)
        assert re.search(rf"\(most recent call first\): GET /{word}\n", stacks), stacks
        assert f"in {function}\n" in stacks and "in application\n" in stacks
        assert "in spawn_worker" not in stacks, "frames of the master"
    else:
        scene.server.wait_log(f"(pid:{pid})" if end[-1] != "0" else "Lost request")
        assert f"Stacks of worker (pid:{pid})" not in scene.server.log()
    assert "secret" not in scene.server.log()
    assert ask(scene.server.address, get("/fine")).body == b"here"


def test_sigkill_from_outside_names_all_requests_of_the_worker(spawn: Spawn, kind: Kind) -> None:
    settings = {"accesslog": "-", "timeout": 60, **kind.settings}
    scene = Scene(spawn("lethal:application", settings=settings))
    paths = ["/sleep/1", "/sleep/2", "/sleep/3"][: 3 if kind.name == "gthread" else 1]
    (worker,) = scene.server.workers()
    wires = [Wire(scene.server.address).send(get(path)) for path in paths]
    # All are in the application: threads that are not have another name for it.
    until(lambda: _asleep(worker) >= len(paths), "all requests to run", show=scene.server.log)
    os.kill(worker, 9)
    for path, wire in zip(paths, wires, strict=True):
        line = scene.error("Lost request", path)
        assert pid_of(line) == str(worker) and "killed by SIGKILL" in line
        assert scene.access(path) == "500"
        wire.close()
    scene.server.wait_log("was sent SIGKILL! Perhaps out of memory? (No: the ")


def _asleep(pid: int) -> int:
    """How many threads of a process are in `time.sleep`."""
    calls = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/wchan")]
    return sum("nanosleep" in call for call in calls)


def test_a_crash_in_one_thread_names_the_others(spawn: Spawn) -> None:
    settings = {"accesslog": "-", "worker_class": "gthread", "threads": 4, "timeout": 60}
    scene = Scene(spawn("lethal:application", settings=settings))
    (worker,) = scene.server.workers()
    with Wire(scene.server.address) as other:
        other.send(get("/sleep/other"))
        until(lambda: _asleep(worker) == 1, "the other request to run", show=scene.server.log)
        assert scene.send("/segv") == b""
    for path in ("/sleep/other", "/segv"):
        assert "killed by SIGSEGV" in scene.error("Lost request", path)
        assert scene.access(path) == "500"
    stacks = scene.stacks(str(worker))
    assert re.search(r"Current thread 0x\w+ [^\n]*: GET /segv\n", stacks), stacks
    assert re.search(r"\n  Thread 0x\w+ [^\n]*: GET /sleep/other\n", stacks), stacks


def test_how_far_it_was(scene: Scene) -> None:
    answer = scene.send("/stream")
    assert answer.endswith(b"some\r\n"), "the piece before the end came through"
    assert "phase: sending its response" in scene.error("Lost request", "/stream")
    assert scene.access("/stream") == "500"


def test_no_second_access_line(scene: Scene) -> None:
    assert scene.send("/close").endswith(b"done")
    assert scene.access("/close") == "200"
    scene.error("Lost request", "/close")


def test_lines_that_wait_to_be_written_are_not_lost(spawn: Spawn, kind: Kind) -> None:
    """A worker writes access lines when it has nothing else to do, not between two requests."""
    settings = {"accesslog": "-", "timeout": 60, **kind.settings, "sync_keepalive": True}
    scene = Scene(spawn("lethal:application", settings=settings))
    with Wire(scene.server.address) as wire:
        wire.send(b"".join(get(path) for path in ("/one", "/two", "/three", "/kill")))
        assert wire.read_to_close().count(b"\r\n\r\nhere") == 3
    assert [scene.access(path) for path in ("/one", "/two", "/three")] == ["200"] * 3
    assert scene.access("/kill") == "500"


def test_a_client_that_had_gone_is_499(scene: Scene) -> None:
    with Wire(scene.server.address) as wire:
        wire.send(get("/gone"))
        wire.read_until(b"xxx")
    scene.error("Lost request", "/gone")
    assert scene.access("/gone") == "499"


def test_what_a_client_sends_stays_in_its_line(scene: Scene) -> None:
    path = "/kill/%0A[CRITICAL]" + "y" * 500
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-ID: \x9b31m{'z' * 200}\r\n\r\n"
    with Wire(scene.server.address) as wire:
        wire.send(request.encode("latin-1"))
        wire.read_to_close()
    log = scene.server.wait_log("Lost request: GET /kill/%0A")
    line = next(it for it in log.splitlines() if "Lost request: GET /kill/%0A" in it)
    assert "yyy... (id: \\x9b31mzzz" in line
    assert "y" * 300 not in line and "z" * 100 not in line
