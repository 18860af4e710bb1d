"""Real uwsgitop 0.12 on our stats, in a terminal, by each of the ways it connects."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from harness.status import Pages
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("Gunicorn has no status pages")

UWSGITOP = shutil.which("uwsgitop", path=str(Path(sys.executable).parent))
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])|[\x00-\x1f]")


def screen(address: str, wanted: re.Pattern[str]) -> str:
    """What uwsgitop has drawn when `wanted` is there, with one blank for all that moves about."""
    assert UWSGITOP, "uwsgitop is part of tests/requirements.txt"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    process = subprocess.Popen(
        [sys.executable, UWSGITOP, address],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # curses believes these more than the terminal.
        env={**os.environ, "TERM": "xterm", "TZ": "UTC", "COLUMNS": "200", "LINES": "50"},
    )
    os.close(theirs)
    drawn, end = "", time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    drawn += os.read(ours, 65536).decode(errors="replace")
                except OSError:
                    break  # it has ended
            text = " ".join(ESCAPES.sub(" ", drawn).split())
            if wanted.search(text):
                return text
        raise AssertionError(f"not drawn: {wanted.pattern}\n{drawn!r}")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.fixture(scope="module", params=["tcp", "unix", "http"])
def way(shared, request: pytest.FixtureRequest):
    server, pages = shared("tiny:application", unix=request.param == "unix")
    for _ in range(7):
        with Wire(server.address) as wire:
            wire.send(get("/"))
            wire.response()
    if request.param == "http":
        return pages, f"http://{pages.bind}/stats"
    return pages, pages.bind.removeprefix("unix:")


def test_it_shows_our_workers(way: tuple[Pages, str]) -> None:
    pages, address = way
    found = pages.stats()
    pids = [worker["pid"] for worker in found["workers"]]
    # WID % PID REQ RPS EXC SIG STATUS AVG RSS VSZ TX ReSpwn HC RunT LastSpwn
    times = r"\d+ms [\d.]+M [\d.]+[MG] \S+ 1 0 [\d.]+ \d\d:\d\d:\d\d"
    row = r"\b{id} [\d.]+ {pid} (\d+) \d+ 0 0 idle " + times
    rows = [row.format(id=id + 1, pid=pid) for id, pid in enumerate(pids)]
    text = screen(address, re.compile("".join(f"(?=.*{row})" for row in rows)))
    assert f"uwsgi-{found['version']} - " in text
    assert f"masterpid: {found['pid']}" in text
    shown = [int(match[1]) for row in rows if (match := re.search(row, text))]
    assert sum(shown) == 7
    assert " req: 7 - " in text
