"""Stacks are taken of threads that run, as often as anybody likes: no worker dies of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ours("has no request_timeout")

TIMES = 500
"""Read in the running process, frames crash it once in ten to a few hundred times."""

# A worker with one thread that looks, and three that enter and leave frames as fast as they can:
# generators, recursion, calls of the standard library.
PROGRAM = """
import json, os, signal, socket, struct, sys, threading
from pathlib import Path
from types import SimpleNamespace
from rgunicorn import _core
from rgunicorn.workers import timekeeping

heard = []
signal.signal(signal.SIGCHLD, lambda *args: heard.append(args))
cfg = SimpleNamespace(request_timeout=3600.0, log_slow=0)
worker = SimpleNamespace(cfg=cfg, tmp=SimpleNamespace(slot=None))
keeper = _core.Timekeeper.of(worker)
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
    timed = keeper.enter(ours.fileno(), True, ["GET", "/", "/", "", "1.1", ""], None)
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


def test_many_stacks_of_threads_that_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TIMES)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    # One that can not be read is told as far as it goes, which no more than a few are.
    assert told.pop("whole") >= TIMES * 0.95
    # Nobody who waits for children of his own meets the copies.
    assert told == {"child": None, "heard": 0, "left": ""}
