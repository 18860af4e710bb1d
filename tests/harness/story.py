"""A page of the documentation as a story: its files are written, its commands run, in their order.

What a page says by its fenced blocks:

- A block with `title="NAME"` is a file.
- Each line of a `sh` block is a command. In a `console` block commands follow `$ `, and each other
  line is output that the command, or the server that was started last, must write in this order
  (access lines: in theirs).
- A command that begins with `rgunicorn` may go on: it is a server, in a terminal of its own, until
  the page stops it or starts the next one.

Port 8000 becomes a free one, in commands, files and output; numbers in output may be any numbers.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .console import install
from .server import Command, clean_environment, free_port
from .wait import until

_FENCE = re.compile(
    r"^(?P<ticks>```+)(?P<language>[\w-]*)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_TITLE = re.compile(r'title="([^"]+)"')
_ACCESS = re.compile(r"[\d.]+ - ")
_ENDING = ("kill -TERM ", "kill -INT ", "kill -QUIT ")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str | None
    text: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Commands, each with the lines of output that the page shows for it."""
        lines = self.text.splitlines()
        if self.language == "sh":
            return [(line, []) for line in lines if line and not line.startswith("#")]
        if self.language != "console":
            return []
        found: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            elif line.strip():
                found[-1][1].append(line)
        return found


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    found = []
    for match in _FENCE.finditer(text):
        title = _TITLE.search(match["info"])
        found.append(Block(match["language"], title and title[1], match["text"]))
    return found


def commands(text: str) -> list[str]:
    """Every command of a page."""
    return [line for block in blocks(text) for line, _ in block.commands]


@dataclass
class Story:
    """A page that is being run in a directory of its own."""

    directory: Path
    command: Command
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Commands that are not run, with the reason."""

    def __post_init__(self) -> None:
        self.port = free_port()
        self._env = clean_environment(install(self.directory, self.command))
        self._server: subprocess.Popen[bytes] | None = None
        self._log = self.directory / "terminal.log"

    def run(self, text: str) -> None:
        """Runs the page `text` to its end."""
        try:
            for block in blocks(text):
                if block.title is not None:
                    self.write(block.title, block.text)
                for line, output in block.commands:
                    if line not in self.left_out:
                        self._perform(self._here(line), [self._here(said) for said in output])
        finally:
            self._stop()

    def write(self, name: str, text: str) -> None:
        """Writes a file where the page is run."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(text))

    def _perform(self, line: str, output: list[str]) -> None:
        if line.split()[0] == "rgunicorn":
            self._start(line)
            until(lambda: follows(self._said(), output), f"{line}: {output}", show=self._said)
            return
        if not line.startswith("kill "):
            done = self._run(line)
            said = done.stdout + done.stderr
            assert done.returncode == 0, f"{line}: {said}\n{self._said()}"
            assert follows(said, output), f"{line}: {said}"
            return
        # The pidfile may be on its way from one master to the next; what is shown is the server's.
        until(lambda: self._run(line).returncode == 0, line, show=self._said)
        until(lambda: follows(self._said(), output), f"{line}: {output}", show=self._said)
        if line.startswith(_ENDING) and self._server is not None:
            assert self._server.wait(60) == 0, self._said()

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-euc", line],
            cwd=self.directory,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _start(self, line: str) -> None:
        self._stop()
        # Several servers of a page write to one log, as in one terminal.
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                ["/bin/bash", "-c", f"exec {line}"],
                cwd=self.directory,
                env=self._env | self._elsewhere(line),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: self._ended() or self._serves(), line, show=self._said)
        assert self._server.poll() in (None, 0), f"{line}: {self._said()}"

    def _elsewhere(self, line: str) -> dict[str, str]:
        """Where neither command nor config file names an address, the default's port is changed."""
        files = [path.read_text() for path in self.directory.glob("*.conf.py")]
        if "-b " in line or "--bind" in line or any("bind =" in text for text in files):
            return {}
        return {"GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{self.port}"}

    def _ended(self) -> bool:
        return self._server is not None and self._server.poll() is not None

    def _serves(self) -> bool:
        places: list[tuple[int, tuple[str, int] | str]] = [
            (socket.AF_INET, ("127.0.0.1", self.port)),
            *((socket.AF_UNIX, str(path)) for path in self.directory.glob("*.sock")),
        ]
        for family, address in places:
            with socket.socket(family) as client:
                if client.connect_ex(address) == 0:
                    return True
        return False

    def _stop(self) -> None:
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(30)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        # A master that it has executed (USR2), when the page did not come to its end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)
        self._server = None

    def _said(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _here(self, text: str) -> str:
        return text.replace("8000", str(self.port))


def follows(said: str, expected: list[str]) -> bool:
    """Whether the lines of `expected` are in `said` in this order, whatever their numbers are.

    Access lines have an order of their own: a worker writes one when the client has its answer, and
    what the master writes meanwhile may come before it or after.
    """
    return all(
        _in_order([line for line in said.splitlines() if bool(_ACCESS.match(line)) == access], part)
        for access in (True, False)
        if (part := [line for line in expected if bool(_ACCESS.match(line)) == access])
    )


def _in_order(said: list[str], expected: list[str]) -> bool:
    lines = iter([_masked(line) for line in said])
    return all(_masked(line) in lines for line in expected)


def _masked(line: str) -> str:
    line = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d+ \w{3} ", "DAY ", line.strip())
    line = re.sub(r"\b\d\d/\w{3}/\d{4}", "DAY", line)
    return re.sub(r"\d+", "#", line)
