"""A worker that writes down its stacks lives on, and its own handlers run, whatever its threads
do meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ours("has no black box")

TIMES = 200
"""Read in the running process, frames crash it once in some hundred times."""

PROGRAM = """
import json, os, signal, sys, threading, time
from rgunicorn.workers import blackbox

heard = []
signal.signal(signal.SIGCHLD, lambda *args: heard.append("child"))
signal.signal(signal.SIGABRT, lambda *args: heard.append("abort"))
box = blackbox.BlackBox(1)
box.arm()
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

for what in (lambda: list(nested(30)), lambda: deep(200)):
    threading.Thread(target=turn, args=(what,), daemon=True).start()

whole = 0

def ask():
    # The main thread runs the handler, without the GIL, as it does when the master asks.
    global whole
    for _ in range(int(sys.argv[1])):
        os.kill(os.getpid(), blackbox.STACK_SIGNAL)
        text = ""
        while "in <module>" not in text:
            time.sleep(0.0005)
            text += box.stacks()
        whole += "in turn" in text and "nce more" not in text

asker = threading.Thread(target=ask)
asker.start()
while asker.is_alive():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGABRT)
aborted = box.stacks()
# The one after it meets the worker's own handler alone.
os.kill(os.getpid(), signal.SIGABRT)
over = True
print(json.dumps({
    "whole": whole, "heard": heard, "after": box.stacks(),
    "aborted": aborted.startswith("Fatal Python error: Aborted\\n\\n") and "in turn" in aborted,
}))
sys.stdout.flush()
os._exit(0)
"""


def test_asked_many_times_and_aborted() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TIMES)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    # Others are told in more than one attempt.
    assert told.pop("whole") >= TIMES * 0.9
    assert told == {"heard": ["abort", "abort"], "after": "", "aborted": True}
