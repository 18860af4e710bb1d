"""A program in a terminal: a real pty, and what its screen shows as pyte understands it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

from .wait import until


class Terminal:
    """Runs `argv` in a terminal of its own until `close`.

    Args:
        argv: the program.
        env: its environment.
        cwd: its directory.
        size: columns and lines.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        size: tuple[int, int] = (80, 24),
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)

    def read(self) -> None:
        """Takes what the program has written meanwhile."""
        while select.select([self._fd], [], [], 0)[0]:
            try:
                octets = os.read(self._fd, 65536)
            except OSError:  # EIO: nobody has the other side open any more
                return
            if not octets:
                return
            self.received += octets
            # pyte takes DCS and the private `CSI > … u` for text; none of it is.
            self._stream.feed(octets)

    def text(self) -> str:
        """What the screen shows now."""
        self.read()
        return "\n".join(self.screen.display)

    def wait(self, text: str) -> str:
        """Waits until the screen shows `text`; returns all of it."""
        until(lambda: text in self.text(), f"{text!r} on the screen", show=self.text)
        return self.text()

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._fd, keys.encode())

    def wait_exit(self) -> int:
        """Waits until the program has ended; returns its code."""

        def ended() -> bool:
            self.read()
            return self.process.poll() is not None

        until(ended, "the program to end", show=self.text)
        self.read()
        return self.process.returncode

    def hang_up(self) -> None:
        """Takes the terminal away."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Ends the program, however it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.hang_up()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
