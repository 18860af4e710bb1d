"""What the server would run on: CPUs, memory, user, file systems. Reads only."""

from __future__ import annotations

import os
from functools import cached_property

from rgunicorn import cgroups, cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

CGROUP = "/sys/fs/cgroup"
#: cgroup v1 says "no limit" with a number near 2**63.
NO_LIMIT = 1 << 60
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "devtmpfs")


class Machine:
    """This machine, or container. Tests put values of their own in the place of these."""

    @cached_property
    def euid(self) -> int:
        """Effective user id."""
        return os.geteuid()

    @cached_property
    def cpus(self) -> float:
        """CPUs that this process may use: by affinity, and by the container's quota."""
        return cpus.find().usable

    @cached_property
    def memory(self) -> int | None:
        """Bytes of memory: the container's limit if there is one, else the machine's."""
        limits = []
        for path in (f"{CGROUP}/memory.max", f"{CGROUP}/memory/memory.limit_in_bytes"):
            limits += [int(word) for word in cgroups.words(path) if word.isdigit()]
        for line in cgroups.lines("/proc/meminfo"):
            if line.startswith("MemTotal:"):
                limits.append(int(line.split()[1]) * 1024)
        return min((limit for limit in limits if limit < NO_LIMIT), default=None)

    @cached_property
    def in_container(self) -> bool:
        """Whether this is a container, as its engine says."""
        if "KUBERNETES_SERVICE_HOST" in os.environ or "container" in os.environ:
            return True
        return os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")

    @cached_property
    def has_setproctitle(self) -> bool:
        """Whether the package is installed."""
        import importlib.util

        return importlib.util.find_spec("setproctitle") is not None

    def file_system(self, path: str) -> str | None:
        """Kind of file system that `path` lies on, as the kernel names it."""
        path = os.path.realpath(path)
        best, kind = "", None
        for line in cgroups.lines("/proc/self/mounts"):
            fields = line.split()
            if len(fields) < 3:
                continue
            mount = fields[1].encode().decode("unicode_escape")
            inside = path == mount or path.startswith(mount.rstrip("/") + "/")
            # The later of two mounts in one place is the one that is seen.
            if inside and len(mount) >= len(best):
                best, kind = mount, fields[2]
        return kind

    def in_memory(self, path: str) -> bool:
        """Whether `path` lies in memory rather than on a disk."""
        return self.file_system(path) in MEMORY_FILE_SYSTEMS

    def writable(self, path: str) -> bool:
        """Whether a file can be written, or made if it is not there."""
        if os.path.exists(path):
            return os.path.isfile(path) and os.access(path, os.W_OK) or _is_stream(path)
        parent = os.path.dirname(os.path.abspath(path))
        return os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK)


def _is_stream(path: str) -> bool:
    """A pipe, a terminal, /dev/null: whatever can be opened for writing, but no directory."""
    return not os.path.isdir(path) and os.access(path, os.W_OK)
