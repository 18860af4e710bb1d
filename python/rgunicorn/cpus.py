"""CPUs that this process may use: those of its affinity, as far as its control groups let it.

A quota is a share of time: 250000 of 100000 microseconds are two and a half CPUs. Each control
group between ours and the root may have one, and the smallest counts (Linux, cgroup v2:
Documentation/admin-guide/cgroup-v2.rst, "cpu.max"; v1: Documentation/scheduler/sched-bwc.rst).
"""

from __future__ import annotations

import math
import os
from collections import namedtuple

from rgunicorn import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Cpus(namedtuple("Cpus", "affinity quota")):
    """How many CPUs there are for this process.

    Args:
        affinity: CPUs that it may run on (`taskset`, cpusets).
        quota: CPUs whose time its control groups grant it; None without a limit.
    """

    # `typing` would be imported at every boot.
    __slots__ = ()

    affinity: int
    quota: float | None

    @property
    def usable(self) -> float:
        """The smaller of both."""
        return self.affinity if self.quota is None else min(self.affinity, self.quota)

    @property
    def workers(self) -> int:
        """One worker for each, also for a part of one; at least one."""
        return max(1, math.ceil(self.usable))

    def __str__(self) -> str:
        quota = "none" if self.quota is None else f"{self.quota:g}"
        return f"affinity {self.affinity}, cgroup quota {quota}"


class Auto(int):
    """A number of workers that was counted, as `workers = "auto"` asks for."""

    cpus: Cpus

    @classmethod
    def count(cls) -> Auto:
        """Counts now."""
        cpus = find()
        number = cls(cpus.workers)
        number.cpus = cpus
        return number


def find(proc: str = "/proc") -> Cpus:
    """Looks up the CPUs of this process.

    Args:
        proc: where procfs is, for tests; the control groups are where its `self/mountinfo` says.
    """
    return Cpus(len(os.sched_getaffinity(0)), min(_quotas(proc), default=None))


def _quotas(proc: str) -> Iterator[float]:
    for group in cgroups.groups("cpu", proc):
        limit = cgroups.words(f"{group}/cpu.max") or [
            *cgroups.words(f"{group}/cpu.cfs_quota_us"),
            *cgroups.words(f"{group}/cpu.cfs_period_us"),
        ]
        # No limit is `max` in v2 and -1 in v1. The root has none of these files.
        if len(limit) == 2 and all(word.isdigit() and int(word) for word in limit):
            yield int(limit[0]) / int(limit[1])
