"""`rgunicorn top` on real servers, in a real terminal."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.server import Server, Spawn, clean_environment
from harness.terminal import Terminal
from harness.wait import until
from harness.wire import ask, get
from rgunicorn import __version__
from top.looking import at_the_gate, gate, run

Start = Callable[..., Terminal]


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Start]:
    """`rgunicorn top` with these words, once it shows a server."""
    started: list[Terminal] = []

    def start(*words: str | int) -> Terminal:
        argv = [sys.executable, "-m", "rgunicorn", "top", *map(str, words)]
        terminal = Terminal(argv, clean_environment(), tmp_path)
        started.append(terminal)
        terminal.wait("SLOT")
        return terminal

    yield start
    for terminal in started:
        terminal.close()


def counted(text: str) -> int:
    found = re.search(r"requests ([\d ]+?)  ", text)
    return int(found[1].replace(" ", "")) if found else -1


def test_it_shows_what_happens(server: Server, top: Start) -> None:
    screen = top(server.pid, "-i", "0.3")
    text = screen.wait(f"rgunicorn {__version__}  pid {server.pid}  up ")
    assert f"127.0.0.1:{server.address[1]}" in text
    until(lambda: counted(screen.text()) >= 0, "the requests")
    before = counted(screen.text())
    for _ in range(5):
        ask(server.address, get("/hello"))
    until(lambda: counted(screen.text()) == before + 5, "five more requests", show=screen.text)
    with at_the_gate(server, "seen"):
        # The path is long; the details have room for more of it.
        screen.wait("GET /gate")
        screen.type("s")
        screen.wait("▲PID")
        for _ in range(3):
            screen.type("s")
        until(lambda: busy_first(screen.text()), "the busy worker to come first", show=screen.text)
        # The cursor stays with its worker, which may be the other one.
        screen.type("\x1b[A")
        screen.type("\r")
        screen.wait("in the app")
        screen.wait(gate(server, "seen")[:20])
        screen.type("\x1b")
        # A key too early would be one with Alt.
        screen.wait("SLOT")
    screen.type("q")
    assert screen.wait_exit() == 0
    # The terminal is as it was.
    assert screen.received.rfind(b"\x1b[?1049l") > screen.received.rfind(b"\x1b[?1049h")
    assert screen.received.rfind(b"\x1b[?25h") > screen.received.rfind(b"\x1b[?25l")


def busy_first(text: str) -> bool:
    lines = text.split("\n")
    heading = next((n for n, line in enumerate(lines) if "▼BUSY" in line), None)
    return heading is not None and " busy " in lines[heading + 1] and " idle " in lines[heading + 2]


def test_without_a_pidfile_it_ends_with_its_server(spawn: Spawn, top: Start) -> None:
    server = spawn("kitchen:app")
    screen = top(server.pid, "-i", "0.2")
    server.assert_clean_exit()
    assert screen.wait_exit() == 0
    screen.wait(f"rgunicorn top: the server with pid {server.pid} has ended")


def test_with_a_pidfile_it_follows_the_successor(spawn: Spawn, top: Start) -> None:
    server = spawn("kitchen:app", settings={"pidfile": "it.pid"})
    screen = top(server.directory / "it.pid", "-i", "0.2")
    first = server.pid
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    screen.wait("has ended; waiting for another one")
    server.start().wait_ready()
    assert server.pid != first
    screen.wait(f"pid {server.pid}  ")
    until(lambda: "has ended" not in screen.text(), "it to be forgotten", show=screen.text)
    screen.type("q")
    assert screen.wait_exit() == 0


def test_what_it_needs_is_said(server: Server, tmp_path: Path) -> None:
    done = run("top", server.pid)
    assert done.returncode == 1
    assert done.stderr == "rgunicorn top: needs a terminal; rgunicorn stats prints the same once\n"
    # An interpreter that has not got it.
    script = """
import sys
from importlib.machinery import PathFinder
sys.meta_path = [it for it in sys.meta_path if it is not PathFinder]
class Found(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ("textual", "rich"):
            return None
        return PathFinder.find_spec(name, path, target)
sys.meta_path.append(Found)
from rgunicorn.app.top import main
sys.exit(main(sys.argv[1:]))
"""
    argv = [sys.executable, "-c", script, str(server.pid)]
    without = subprocess.run(argv, capture_output=True, text=True, env=clean_environment())
    assert without.returncode == 1
    words = "rgunicorn top: needs the package textual: pip install 'rgunicorn[top]'\n"
    assert without.stderr == words
    with Terminal(
        [sys.executable, "-m", "rgunicorn", "top", "4194300"], clean_environment(), tmp_path
    ) as screen:
        assert screen.wait_exit() == 1
        assert "no process 4194300" in screen.text()


def test_it_ends_with_its_terminal(server: Server, top: Start) -> None:
    """It is not the terminal's own process here, so nobody sends SIGHUP."""
    screen = top(server.pid)
    screen.hang_up()
    until(lambda: screen.process.poll() is not None, "the program to end")
