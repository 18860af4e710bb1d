"""Stacks are taken of threads that run, as often as anybody likes: no worker dies of it. If one
does die, a request that it has not told of yet is told of by the master."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.ours("has no request_timeout")

TIMES = 300
"""Read in the running process, frames crash it once in ten to a few hundred times."""

# A worker with one thread that looks.
WORKER = """
import json, os, signal, socket, struct, sys, threading, time
from pathlib import Path
from types import SimpleNamespace
from rgunicorn import _core
from rgunicorn.workers import timekeeping

cfg = SimpleNamespace(request_timeout=3600.0, log_slow=0)
worker = SimpleNamespace(cfg=cfg, tmp=SimpleNamespace(slot=None))
keeper = _core.Timekeeper.of(worker)
about = ["GET", "/", "/", "", "1.1", ""]
"""

# And three that enter and leave frames as fast as they can: generators, recursion, calls of the
# standard library.
BUSY = """
heard = []
signal.signal(signal.SIGCHLD, lambda *args: heard.append(args))
over = False

def nested(depth):
    if depth:
        yield from nested(depth - 1)
    yield depth

def deep(depth):
    return deep(depth - 1) if depth else 0

def turn(what):
    while not over:
        what()

nowhere = Path("/nowhere")
for what in (lambda: list(nested(30)), lambda: deep(200), lambda: (nowhere / "a").exists()):
    threading.Thread(target=turn, args=(what,), daemon=True).start()

def stack(report):
    at = 0
    for _ in range(6):
        (size,) = struct.unpack_from("<I", report, at)
        text, at = report[at + 4 : at + 4 + size], at + 4 + size
    return text.decode()

whole = 0
for _ in range(int(sys.argv[1])):
    ours, theirs = socket.socketpair()
    timed = keeper.enter(ours.fileno(), True, about, None)
    timed.deadline(0.000001)
    while (report := timekeeping.receive()) is None:
        deep(50)
    text = stack(report)
    whole += "in turn" in text and "could not be read" not in text
    timed.end()
    ours.close(), theirs.close()
over = True

try:
    child = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    child = None
left = Path(f"/proc/self/task/{os.getpid()}/children")
print(json.dumps({
    "whole": whole, "child": child, "heard": len(heard),
    "left": left.read_text() if left.exists() else "",
}))
sys.stdout.flush()
os._exit(0)
"""


# The queue to the master is full: the report of a late request has to wait.
FULL = """
queue, _ = timekeeping.ends()
queue = socket.socket(fileno=os.dup(queue))
try:
    while True:
        queue.send(b"x" * 1000, socket.MSG_DONTWAIT)
except BlockingIOError:
    pass

flights = _core.Flights(1)
ours, theirs = socket.socketpair()
timed = keeper.enter(ours.fileno(), True, about, flights.begin("GET", "/", (1, 1)))
timed.deadline(0.000001)

def seen():
    (sighting,) = flights.running()
    return [sighting[it] for it in ("phase", "overdue", "logged")]

# Its client has been answered to the last byte.
while theirs.recv(4096):
    pass
while seen()[0] != "answered":
    time.sleep(0.01)
before = seen()
# There is no room, however long it tries.
time.sleep(0.2)
still = seen()
while (report := timekeeping.receive()) is None or report.startswith(b"x"):
    time.sleep(0.001)
while not seen()[2]:
    time.sleep(0.01)
print(json.dumps({"before": before, "still": still, "after": seen(), "report": b"/" in report}))
sys.stdout.flush()
os._exit(0)
"""


def run(*argv: str) -> dict[str, Any]:
    """What a program tells."""
    done = subprocess.run(
        [sys.executable, "-c", *argv], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_told_of_when_the_report_is_on_its_way() -> None:
    """Until then the master would tell of the request, if the worker died."""
    told = run(WORKER + FULL)
    untold = ["answered", False, False]
    assert (told["before"], told["still"]) == (untold, untold)
    assert told["after"] == ["answered", True, True] and told["report"]


def test_many_stacks_of_threads_that_run() -> None:
    told = run(WORKER + BUSY, str(TIMES))
    # One that can not be read is told as far as it goes, which no more than a few are.
    assert told.pop("whole") >= TIMES * 0.95
    # Nobody who waits for children of his own meets the copies.
    assert told == {"child": None, "heard": 0, "left": ""}
