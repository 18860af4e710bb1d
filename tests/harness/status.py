"""The status pages of a server, as probes, curl and uwsgitop see them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .server import Address, Server, children, free_port
from .wait import until


def pages_port() -> int:
    """A port that nobody listens on, and that no server of a test is going to be given."""
    while True:
        port = free_port() - 12000
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@dataclass(frozen=True)
class Pages:
    """The pages at an address: `(host, port)` or the path of a unix socket."""

    address: Address

    @property
    def bind(self) -> str:
        """As `status_bind` has it."""
        if isinstance(self.address, str):
            return f"unix:{self.address}"
        return f"{self.address[0]}:{self.address[1]}"

    def curl(self, path: str, *options: str) -> tuple[int, str]:
        """What real curl gets: the status, and the body (with `-i` or `-I`, heads too)."""
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        where = ["http://localhost" + path, "--unix-socket", str(self.address)]
        if isinstance(self.address, tuple):
            where = [f"http://{self.address[0]}:{self.address[1]}{path}"]
        mark = "\n<status>"
        argv = ["curl", "-s", "-m", "20", "-w", mark + "%{http_code}", *options, *where]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        body, _, status = done.stdout.rpartition(mark)
        return int(status or 0), body

    def connect(self, seconds: float = 20) -> socket.socket:
        """A connection that says nothing yet."""
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        wire = socket.socket(family)
        wire.settimeout(seconds)
        wire.connect(self.address)
        return wire

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body, without the price of a process."""
        with self.connect() as wire:
            wire.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head, _, body = read_all(wire).decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def stats(self) -> dict[str, Any]:
        """`/stats`."""
        status, body = self.ask("/stats")
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def refuses(self) -> bool:
        """Whether nobody listens there."""
        try:
            self.connect().close()
        except OSError:
            return True
        return False

    def wait_ready(self, server: Server) -> Pages:
        """Waits until `/readyz` is 200 and all workers have booted."""
        wanted = int(str(server.settings.get("workers", 1)))

        def ready() -> bool:
            with contextlib.suppress(OSError):
                if self.ask("/readyz")[0] == 200:
                    workers = self.stats()["workers"]
                    return sum(worker["accepting"] for worker in workers) >= wanted
            return False

        until(ready, "the server to be ready", show=server.log)
        return self


def read_all(wire: socket.socket) -> bytes:
    """What comes until the end."""
    parts = []
    while part := wire.recv(65536):
        parts.append(part)
    return b"".join(parts)


def process_of(server: Server, but: int = 0) -> int:
    """The status process of a server, by its title; not the one that is `but`."""

    def find() -> int:
        for pid in children(server.pid):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                if words.startswith(b"gunicorn: status [") and pid != but:
                    return pid
        return 0

    return until(find, "the status process", show=server.log)


def inodes(pid: int) -> set[str]:
    """The sockets that a process has."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return {name for name in found if name.startswith("socket:")}
