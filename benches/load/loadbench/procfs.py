"""What the kernel knows about a server's processes (see proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU, as /proc/PID/stat counts them: in ticks of 10 ms."""

    user: float
    system: float

    def __sub__(self, earlier: CpuTime) -> CpuTime:
        return CpuTime(self.user - earlier.user, self.system - earlier.system)

    @property
    def total(self) -> float:
        return self.user + self.system


def process_tree(root: int) -> list[int]:
    """`root` and all its living descendants, `root` first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int(_stat_fields(int(entry.name))[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between the listing and the read
        children.setdefault(parent, []).append(int(entry.name))
    tree = [root]
    for pid in tree:
        tree.extend(sorted(children.get(pid, [])))
    return tree


def leaves(root: int) -> list[int]:
    """The processes that serve: the ones without children of their own."""
    tree = process_tree(root)
    parents = {int(_stat_fields(pid)[1]) for pid in tree if pid != root}
    return [pid for pid in tree if pid not in parents]


def cpu_time(pids: list[int]) -> CpuTime:
    """CPU time used so far by all threads of `pids`, user and system."""
    fields = [_stat_fields(pid) for pid in pids]
    return CpuTime(
        user=sum(int(stat[11]) for stat in fields) * _TICK,
        system=sum(int(stat[12]) for stat in fields) * _TICK,
    )


def core_busy(core: int) -> float:
    """Seconds a core was not idle since boot, whoever used it (stolen time counts too)."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            # user nice system idle iowait irq softirq steal; guest time is part of user.
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) * _TICK
    raise ValueError(f"no core {core} in /proc/stat")


def pss_bytes(pids: list[int]) -> int:
    """Proportional set size: a page shared by n processes counts 1/n in each of them."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def reset_peak(pids: list[int]) -> None:
    """Makes what `pids` have in memory now their peak."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_bytes(pids: list[int]) -> int:
    """The most memory (RSS) that `pids` had since then, each at its own time."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024
    return total


def socket_count(pids: list[int]) -> int:
    """Open sockets of `pids`; one that several processes share counts once."""
    found = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue  # closed between the listing and the look
            if target.startswith("socket:"):
                found.add(target)
    return len(found)


def is_traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    tracer = next(line for line in status.splitlines() if line.startswith("TracerPid:"))
    return tracer.split()[1] != "0"


def _stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third one (state) on: the second may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
