"""CPUs that this process may use: those of its affinity, as far as its control groups let it.

A quota is a share of time: 250000 of 100000 microseconds are two and a half CPUs. Each control
group between ours and the root may have one, and the smallest counts (Linux, cgroup v2:
Documentation/admin-guide/cgroup-v2.rst, "cpu.max"; v1: Documentation/scheduler/sched-bwc.rst).
"""

from __future__ import annotations

import math
import os
from collections import namedtuple

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


def groups(controller: str, proc: str = "/proc") -> Iterator[str]:
    """Directories of the control groups that this process is in, from its own to the root.

    Of the hierarchy of cgroup v2, if there is one, and of that of v1 which has `controller`. In a
    container the root is what can be seen of it there.

    Args:
        controller: such as `cpu` or `memory`.
        proc: as in `find`.
    """
    ours = _memberships(controller, proc)
    for line in _lines(f"{proc}/self/mountinfo"):
        before, dash, after = line.partition(" - ")
        fields, (kind, *others) = before.split(), after.split() or [""]
        if not dash or len(fields) < 5 or kind not in ours:
            continue
        if kind == "cgroup" and controller not in others[-1].split(","):
            continue
        root, mount = _unescaped(fields[3]), _unescaped(fields[4])
        yield from _upwards(mount, _below(ours[kind], root))


def _memberships(controller: str, proc: str) -> dict[str, str]:
    """Our place in the hierarchy, by the type of its file system."""
    found = {}
    for line in _lines(f"{proc}/self/cgroup"):
        number, _, rest = line.rstrip("\n").partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found["cgroup2"] = path
        elif controller in controllers.split(","):
            found["cgroup"] = path
    return found


def _below(path: str, root: str) -> str:
    """`path` as seen from a mount that shows `root` and what is below it.

    Of a group outside of it, or of our namespace (`/../x`), nothing is known but the mount itself.
    """
    root = root.rstrip("/")
    inside = path == root or path.startswith(f"{root}/")
    if not inside or ".." in (*path.split("/"), *root.split("/")):
        return ""
    return path[len(root) :].strip("/")


def _upwards(mount: str, path: str) -> Iterator[str]:
    while path:
        yield os.path.join(mount, path)
        path = os.path.dirname(path)
    yield mount


def _quotas(proc: str) -> Iterator[float]:
    for group in groups("cpu", proc):
        limit = _words(f"{group}/cpu.max") or [
            *_words(f"{group}/cpu.cfs_quota_us"),
            *_words(f"{group}/cpu.cfs_period_us"),
        ]
        # No limit is `max` in v2 and -1 in v1. The root has none of these files.
        if len(limit) == 2 and all(word.isdigit() and int(word) for word in limit):
            yield int(limit[0]) / int(limit[1])


def _unescaped(text: str) -> str:
    # Space, tab, newline and backslash are \040 and so on (proc_pid_mountinfo(5)).
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError:
        return


def _words(path: str) -> list[str]:
    return " ".join(_lines(path)).split()
