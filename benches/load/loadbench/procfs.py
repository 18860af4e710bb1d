"""What the kernel knows about a server's processes (see proc(5))."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2  # CPUCLOCK_SCHED: the scheduler's own count


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU. The parts come from /proc/PID/stat, in ticks of 10 ms; the sum is exact."""

    user: float
    system: float
    total: float

    def __sub__(self, earlier: CpuTime) -> CpuTime:
        """What was used between the two, the parts scaled so that they make the sum."""
        user, system = self.user - earlier.user, self.system - earlier.system
        total = self.total - earlier.total
        share = user / (user + system) if user + system > 0 else 1.0
        return CpuTime(total * share, total * (1 - share), total)


def process_tree(root: int) -> list[int]:
    """`root` and all its living descendants, `root` first."""
    return _tree(root, _parents())


def leaves(root: int) -> list[int]:
    """The processes that serve: the ones without children of their own."""
    parents = _parents()
    tree = _tree(root, parents)
    having = {parents[pid] for pid in tree if pid != root}
    return [pid for pid in tree if pid not in having]


def _parents() -> dict[int, int]:
    """Every process and its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found[int(entry.name)] = int(_stat_fields(int(entry.name))[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between the listing and the read
    return found


def _tree(root: int, parents: dict[int, int]) -> list[int]:
    tree = [root]
    for one in tree:
        tree.extend(sorted(pid for pid, parent in parents.items() if parent == one))
    return tree


def cpu_time(pids: list[int]) -> CpuTime:
    """CPU time used so far by all threads of `pids`, user and system."""
    fields = [_stat_fields(pid) for pid in pids]
    return CpuTime(
        user=sum(int(stat[11]) for stat in fields) * _TICK,
        system=sum(int(stat[12]) for stat in fields) * _TICK,
        total=sum(map(_run_time, pids)),
    )


def _run_time(pid: int) -> float:
    """Seconds all threads of `pid` have run: the clock of clock_getcpuclockid(3)."""
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULED)
    except OSError as error:
        raise ProcessLookupError(f"no process {pid}") from error


def cores_busy(cores: str) -> float:
    """Seconds that `cores` (`0` or `0,1`) were not idle since boot, whoever used them.

    Stolen time counts too.
    """
    wanted = {f"cpu{core}" for core in cores.split(",")}
    total = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in wanted:
            wanted.remove(name)
            # user nice system idle iowait irq softirq steal; guest time is part of user.
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            total += user + nice + system + irq + softirq + steal
    if wanted:
        raise ValueError(f"no {wanted} in /proc/stat")
    return total * _TICK


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
