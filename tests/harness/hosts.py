"""Machines made of network namespaces, with a wire between each of them and a hub.

Each has its own loopback and its own ports; files and processes are everybody's. Nothing of it is
visible in the namespace of the tests: who wants to talk to the hub from there uses a unix socket.
A namespace lives as long as the process that was started in it, and takes its wires along.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .wait import until


def unavailable() -> str | None:
    """Why there can be no such machines here; None when there can."""
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            return f"{tool} is missing"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"no network namespaces: {tried.stderr.strip()}" if tried.returncode else None


@dataclass(frozen=True)
class Host:
    """One machine.

    Args:
        pid: of the process that holds its namespace.
        ip: its address, as the hub knows it; empty for the hub itself.
    """

    pid: int
    ip: str = ""

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command begins with to run there; it keeps its pid."""
        return ("nsenter", "--target", str(self.pid), "--net")

    def run(self, *argv: str) -> None:
        self.told(*argv)

    def told(self, *argv: str) -> str:
        """What a command that is run there writes."""
        done = subprocess.run([*self.prefix, *argv], capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout


@contextlib.contextmanager
def hosts(count: int) -> Iterator[tuple[Host, Sequence[Host]]]:
    """A hub and so many machines that it can reach."""
    holders: list[subprocess.Popen[bytes]] = []

    def hold() -> int:
        argv = ["unshare", "--net", "sleep", "infinity"]
        holders.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True))
        pid = holders[-1].pid
        until(lambda: _namespace(pid) != _namespace(os.getpid()), "a network namespace")
        return pid

    try:
        hub = Host(hold())
        hub.run("ip", "link", "set", "lo", "up")
        others = [_wired(hub, Host(hold(), f"10.77.{number}.2"), number) for number in range(count)]
        yield hub, others
    finally:
        for holder in holders:
            holder.terminate()
            holder.wait(10)


def _wired(hub: Host, host: Host, number: int) -> Host:
    name = f"to-{number}"
    end = ("peer", "name", "eth0", "netns", str(host.pid))
    hub.run("ip", "link", "add", name, "type", "veth", *end)
    for where, device, ip in ((hub, name, f"10.77.{number}.1"), (host, "eth0", host.ip)):
        where.run("ip", "address", "add", f"{ip}/24", "dev", device)
        where.run("ip", "link", "set", device, "up")
    host.run("ip", "link", "set", "lo", "up")
    return host


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")
