"""What the kernel says about a process: its descriptors, its memory."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from pathlib import Path


def descriptors(pid: int) -> list[str]:
    """What each open descriptor of the process leads to, sorted; empty when it is gone."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            # Closed since it was listed.
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(found)


def clients_of(pid: int, port: int) -> set[int]:
    """The clients' ports of the TCP connections to `port` that the process has open."""
    inodes = {what[8:-1] for what in descriptors(pid) if what.startswith("socket:[")}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, state, *others = line.split()[1:]
        # 0A is a listener.
        if int(local.split(":")[1], 16) == port and state != "0A" and others[5] in inodes:
            found.add(int(remote.split(":")[1], 16))
    return found


def in_flight(pid: int) -> int:
    """How many descriptors lie, as messages, in the unix sockets that the process has open."""
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"/proc/{pid}/fdinfo"):
            # Closed since it was listed.
            with contextlib.suppress(FileNotFoundError):
                text = Path(f"/proc/{pid}/fdinfo/{name}").read_text()
                found = re.search(r"^scm_fds: (\d+)$", text, re.MULTILINE)
                total += int(found[1]) if found else 0
    return total


def is_at_rest(pid: int) -> bool:
    """Whether no thread of the process does anything just now."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "stat").read_text().rpartition(")")[2].split()[0] != "S":
            return False
    return True


def waits(pid: int) -> bool:
    """Whether a worker waits for its next connection: it has booted."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    where = Path(f"/proc/{pid}/wchan").read_text()
    # Of one that runs, or wants to, it says 0; and of all where the kernel does not tell.
    return state == "S" and (where in ("0", "") or "poll" in where)


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached all threads of the process; True also when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            if (task / "stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
                return False
    return True


WAITING = {
    "x86_64": {7, 23, 35, 202, 219, 230, 232, 270, 271, 281, 441},
    "aarch64": {22, 72, 73, 98, 101, 115, 128, 441},
}
"""Numbers of poll(2), epoll_wait(2), futex(2), nanosleep(2) and their relatives."""


def was_waiting(pid: int) -> bool:
    """Whether each thread of a stopped process waited for events, a lock or a time, and is thus not
    between reading something and noting it. True also where the kernel does not tell."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            called = (task / "syscall").read_text().split()[0]
        except (PermissionError, FileNotFoundError):
            return True
        if called.lstrip("-").isdigit():
            if int(called) not in WAITING.get(platform.machine(), {int(called)}):
                return False
        elif called == "running":
            return False
    return True


def private_memory(pid: int) -> int:
    """Bytes of memory that the process has written and shares with nobody. Not its proportional set
    size: that grows when somebody else who uses the same libraries ends."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Private_Dirty:\s+(\d+) kB$", text, re.MULTILINE)
    assert found, text
    return int(found[1]) * 1024
