"""The server that is tormented: how it is set up, and what can be seen of it from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos.faults import Faults
from harness.proc import descriptors, private_memory
from harness.server import Address, Server, children, free_port, under_test
from harness.status import Pages, pages_port, process_of
from harness.wait import until

KINDS: dict[str, dict[str, object]] = {
    "sync": {"worker_class": "sync"},
    "sync_keepalive": {"worker_class": "sync", "sync_keepalive": True, "keepalive": 300},
    "gthread": {"worker_class": "gthread", "threads": 4, "keepalive": 300},
}

FORMAT = "> %(request_id)s %(s)s %(B)s %(p)s <"
LINE = re.compile(r"> (\S+) (\d{3}) (\d+|-) <?(\d+)>? <")
"""An access line in that format: whole from mark to mark."""

SPOOL_MB = 24
LISTENS = "0A"
"""As /proc/net/tcp says it. 01 is established; 08: the other end has closed, this one has not."""


@dataclass
class Measure:
    """What processes hold while nothing happens."""

    fds: dict[int, Counter[str]]
    """Descriptors by kind, of the master and each worker."""
    private: dict[int, int]
    """Bytes that nobody else has."""


class Site:
    """A server with fault injection, its logs and its status pages.

    Args:
        kind: one of `KINDS`.
        directory: for everything it writes.
        workers: how many.
    """

    def __init__(self, kind: str, directory: Path, workers: int) -> None:
        self.kind = kind
        self.directory = directory
        self.count = workers
        self.hands = int(str(KINDS[kind].get("threads", 1))) + 1
        """Threads of a worker that answer: the application's, and that of slow clients."""
        self.spool = directory / "spool"
        self.spool.mkdir(parents=True)
        self.access_path = directory / "access.log"
        self.ledger_path = directory / "ledger"
        self.faults = Faults(directory / "faults", self.spool, self.access_path)
        self.pages = Pages(("127.0.0.1", pages_port()))
        self.hups = 0
        settings = {
            **KINDS[kind],
            "workers": workers,
            "accesslog": str(self.access_path),
            "access_log_format": FORMAT,
            "request_id_header": "X-Request-ID",
            "forwarded_allow_ips": "127.0.0.1",
            "tmp_upload_dir": str(self.spool),
            "request_buffer_limit": "1M",
            "response_buffer_limit": "3M",
            "status_bind": self.pages.bind,
            "timeout": 30,
            "graceful_timeout": 20,
            "client_header_timeout": 10,
            "client_body_timeout": 10,
            "client_write_timeout": 20,
            "worker_connections": 600,
        }
        address: Address = ("127.0.0.1", free_port())
        env = {"LEDGER": str(self.ledger_path), **self.faults.environment}
        self.server = Server(
            under_test(), "soak:app", directory, address, settings=settings, env=env
        )

    @property
    def address(self) -> Address:
        return self.server.address

    def start(self) -> Site:
        self.server.start().wait_ready(self.count + 1)
        self.faults.spare(self.server.pid)
        self.pages.wait_ready(self.server)
        return self

    @property
    def workers(self) -> list[int]:
        """Pids of the living workers: every child but the status process, and but those that the
        master, which may be stopped, has not buried yet: they have no words any more."""
        found = []
        for pid in children(self.server.pid):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                if words and b": status [" not in words:
                    found.append(pid)
        return found

    def zombies(self) -> list[int]:
        """Children of the master that nobody has waited for."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    if int(stat[1]) == self.server.pid and stat[0] == "Z":
                        found.append(int(entry))
        return found

    def metrics(self) -> dict[str, float]:
        """`/metrics`, with the labels in the names; and sums over all of them without."""
        status, text = self.pages.ask("/metrics")
        assert status == 200, text
        found: dict[str, float] = defaultdict(float)
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            name, _, value = line.rpartition(" ")
            found[name] += float(value)
            if "{" in name:
                found[name.partition("{")[0]] += float(value)
        return dict(found)

    def requests(self, status_class: str) -> int:
        """`rgunicorn_requests_total` of `2xx` and the like, over all slots."""
        mark = f'class="{status_class}"'
        total = sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("rgunicorn_requests_total{") and mark in name
        )
        return int(total)

    def is_calm(self) -> bool:
        """All workers are there and have loaded the application; no connection is left."""
        with suppress(OSError, AssertionError):
            if self.pages.ask("/readyz")[0] != 200 or len(self.workers) != self.count:
                return False
            metrics = self.metrics()
            return (
                metrics["rgunicorn_workers_ready"] == self.count
                and metrics["rgunicorn_connections"] == 0
                and metrics["rgunicorn_app_slots_busy"] == 0
            )
        return False

    def settle(self, seconds: float = 60) -> None:
        """Waits until nothing happens any more."""
        until(self.is_calm, "the server to be calm", seconds, show=self.news)

    def measure(self) -> Measure:
        """What its processes hold now."""
        pids = [self.server.pid, process_of(self.server), *self.workers]
        return Measure(
            {pid: Counter(kind_of(name) for name in descriptors(pid)) for pid in pids},
            {pid: private_memory(pid) for pid in pids},
        )

    def log(self) -> str:
        return self.server.log()

    def connections(self) -> list[str]:
        """What the kernel knows of connections to the server, from both ends: `ss -tnp`, but with
        whose end it is when only the kernel has it still."""
        port = int(self.address[1])
        owners: dict[str, str] = {}
        for pid, name in everybody():
            with suppress(PermissionError):
                owners |= dict.fromkeys(descriptors(pid), f"{pid} {name}")
        found = []
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, remote, state, queues, _, _, _, _, inode, *_ = line.split()[1:]
            ends = [int(end.split(":")[1], 16) for end in (local, remote)]
            if port in ends and state != LISTENS:
                owner = owners.get(f"socket:[{inode}]", "nobody")
                found.append(f"{ends[0]} to {ends[1]}: state {state}, queues {queues}, of {owner}")
        return found

    def news(self) -> str:
        """The end of the log, and what the server says of itself."""
        with suppress(OSError, AssertionError):
            told = {k: v for k, v in self.metrics().items() if v and "bucket" not in k}
            end = [str(told), f"workers {self.workers}", f"connections {self.connections()}"]
            return "\n".join([*end, *self.log().splitlines()[-20:]])
        return "\n".join(self.log().splitlines()[-40:])

    def hup(self) -> bool:
        """Reloads; whether all workers are new ones afterwards. If not, the log says that it was
        given up: a new worker could not boot."""
        given_up = "Reload failed, the old configuration stays in force"
        before, failed = set(self.workers), self.log().count(given_up)
        self.hups += 1
        self.server.send_signal(signal.SIGHUP)

        def done() -> bool:
            now = set(self.workers)
            return len(now) == self.count and not now & before

        until(lambda: done() or self.log().count(given_up) > failed, "a reload", 90, self.news)
        return done()

    def filler(self) -> Path:
        """A file that takes the spool's room."""
        return self.spool / "filler"


def kind_of(name: str) -> str:
    """What a descriptor leads to, without what differs from process to process."""
    return re.sub(r":\[\d+\]|\d+|(?<=access.log)\.\d+", "", name)


def mount(directory: Path, megabytes: int) -> str:
    """Makes `directory` a small file system of its own, for this process and its children only.
    Returns why that is not possible, or nothing."""
    if os.geteuid() != 0:
        return "only root may mount"
    argv = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(directory)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stderr.strip()


def unmount(directory: Path) -> None:
    """Undoes `mount`, where there was one."""
    if directory.is_mount():
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def everybody() -> list[tuple[int, str]]:
    """Pid and name of each process."""
    found = []
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit():
                found.append((int(entry), Path(f"/proc/{entry}/comm").read_text().strip()))
    return found
