"""Faults in a running server, by a library of ours that is preloaded into it (`faults.c`).

The product is not touched, nor is the machine: a call fails for this server alone, and only its
clock is stepped.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")

CALLS = (
    "accept",
    "open",
    "receive",
    "send",
    "map",
    "descriptor",
    "watch",
    "thread",
    "write-spool",
    "write-log",
)
"""What can fail: accept4; files that are made; recv, recvmsg; send, sendmsg; mmap of files and of
shared memory; memfd_create, pipe2; epoll_ctl; pthread_create; write to the directory for uploads;
write to the log."""

HEAD = struct.Struct("qQ")
RULE = struct.Struct("IIQQ")
SIZE = HEAD.size + RULE.size * len(CALLS)


def missing() -> str:
    """Why there can be no faults here; empty when there can."""
    return "" if shutil.which("cc") else "cc is not installed"


class Faults:
    """The page of shared memory, and the environment of the server that reads it.

    Args:
        directory: for the page and the compiled library.
        spool: where the server keeps uploads.
        log: the log file whose writes are watched.

    Raises:
        subprocess.CalledProcessError: cc does not like `faults.c`.
    """

    def __init__(self, directory: Path, spool: Path, log: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        library, page = directory / "faults.so", directory / "faults.page"
        command: list[str | Path] = [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
            library,
        ]
        subprocess.run([*command, SOURCE, "-ldl"], check=True)
        page.write_bytes(b"")
        with page.open("r+b") as file:
            file.truncate(SIZE)
            self._page = mmap.mmap(file.fileno(), SIZE)
        self.environment = {
            "LD_PRELOAD": str(library),
            "CHAOS_PAGE": str(page),
            "CHAOS_SPOOL": str(spool),
            "CHAOS_LOG": str(log),
        }

    def spare(self, pid: int) -> None:
        """No call of that process fails."""
        struct.pack_into("Q", self._page, 8, pid)

    @contextlib.contextmanager
    def failing(self, call: str, number: int, share: float) -> Iterator[None]:
        """`call` fails with errno `number` in `share` (0 to 1) of all cases meanwhile."""
        at = HEAD.size + RULE.size * CALLS.index(call)
        struct.pack_into("Q", self._page, at + 16, 1)
        struct.pack_into("II", self._page, at, number, round(share * 1_000_000))
        try:
            yield
        finally:
            struct.pack_into("II", self._page, at, 0, 0)

    @contextlib.contextmanager
    def wall_clock(self, seconds: float) -> Iterator[None]:
        """The server's wall clock is that much ahead, or behind, meanwhile."""
        struct.pack_into("q", self._page, 0, round(seconds * 1e9))
        try:
            yield
        finally:
            struct.pack_into("q", self._page, 0, 0)

    def counts(self) -> dict[str, int]:
        """How often each call has been made to fail."""
        rules = (RULE.unpack_from(self._page, HEAD.size + RULE.size * n) for n in range(len(CALLS)))
        return {call: rule[2] for call, rule in zip(CALLS, rules, strict=True)}


def name_of(number: int) -> str:
    """`EMFILE`."""
    return errno.errorcode.get(number, str(number))
