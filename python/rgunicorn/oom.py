"""Whether the kernel has killed something because memory ran out: what the cgroup itself counts."""

from __future__ import annotations

import os

from rgunicorn import cgroups


class OomCounter:
    """The number of OOM kills in the cgroup of this process; without one, on this machine.

    Args:
        proc: where procfs is.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self.path = _events_of_cgroup(proc)
        if self.path is None:
            # The root has no such file; a kernel before 4.13 does not count.
            machine = f"{proc}/vmstat"
            self.path = machine if _oom_kills(machine) is not None else None
        # Kills that were there before us, or that somebody has been told of.
        self._seen = self.count() or 0

    @property
    def name(self) -> str:
        """What the count is called in the log, such as `memory.events: oom_kill`."""
        return f"{os.path.basename(self.path or '')}: oom_kill"

    @property
    def scope(self) -> str:
        """Whose memory that is: `cgroup` or `machine`."""
        return "machine" if self.path is not None and self.path.endswith("/vmstat") else "cgroup"

    def count(self) -> int | None:
        """OOM kills so far, None when nobody counts them."""
        return _oom_kills(self.path) if self.path is not None else None

    def take(self) -> int | None:
        """Asked for a process that ended by SIGKILL: the count, if there was an OOM kill that it
        can be. Each kill explains one end. 0 when there was none, None when nobody counts."""
        count = self.count()
        if count is None or count <= self._seen:
            return None if count is None else 0
        self._seen += 1
        return count


def _events_of_cgroup(proc: str) -> str | None:
    """The file of this process's memory cgroup that counts, v1 or v2."""
    for group in cgroups.groups("memory", proc):
        for name in ("memory.oom_control", "memory.events"):
            if _oom_kills(f"{group}/{name}") is not None:
                return f"{group}/{name}"
    return None


def _oom_kills(path: str) -> int | None:
    for line in cgroups.lines(path):
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return None
