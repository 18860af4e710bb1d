"""A StatsD server: takes datagrams and remembers them."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from .wait import until


class Collector:
    """Collects on `udp`, `udp6` or `unix` until it is closed."""

    def __init__(self, kind: str, directory: Path) -> None:
        family = {"udp": socket.AF_INET, "udp6": socket.AF_INET6, "unix": socket.AF_UNIX}[kind]
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        if kind == "unix":
            self.sock.bind(str(directory / "statsd.sock"))
            self.host = f"unix://{directory}/statsd.sock"
        else:
            self.sock.bind(("127.0.0.1" if kind == "udp" else "::1", 0))
            name = "127.0.0.1" if kind == "udp" else "[::1]"
            self.host = f"{name}:{self.sock.getsockname()[1]}"
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def lines(self, but: str = "gunicorn.backlog") -> list[str]:
        """The datagrams so far, with times normalised, without those that hold `but`."""
        lines = [re.sub(r":[0-9.e-]+\|ms", ":T|ms", line) for line in self._lines]
        return [line for line in lines if but not in line]

    def wait(self, line: str, count: int = 1) -> None:
        """Waits until `line` has come `count` times."""
        until(
            lambda: self.lines("\n").count(line) >= count,
            f"{count} × {line}",
            show=lambda: "\n".join(self.lines("\n")),
        )

    def close(self) -> None:
        # A datagram to itself ends the thread; closing would not wake it.
        with socket.socket(self.sock.family, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.sock.getsockname())
        self._thread.join(10)
        self.sock.close()

    def _collect(self) -> None:
        while data := self.sock.recv(65536):
            self._lines.append(data.decode())


@contextlib.contextmanager
def collecting(kind: str, directory: Path) -> Iterator[Collector]:
    """A collector that is closed behind the block."""
    collector = Collector(kind, directory)
    try:
        yield collector
    finally:
        collector.close()
