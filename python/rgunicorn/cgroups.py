"""The control groups of this process, v1 and v2, and the kernel's files about them."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def groups(controller: str, proc: str = "/proc") -> Iterator[str]:
    """Directories of the control groups that this process is in, from its own to the root.

    Of the hierarchy of cgroup v2, if there is one, and of that of v1 which has `controller`. In a
    container the root is what can be seen of it there.

    Args:
        controller: such as `cpu` or `memory`.
        proc: where procfs is; the groups are where its `self/mountinfo` says.
    """
    ours = _memberships(controller, proc)
    for line in lines(f"{proc}/self/mountinfo"):
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
    for line in lines(f"{proc}/self/cgroup"):
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


def _unescaped(text: str) -> str:
    # Space, tab, newline and backslash are \040 and so on (proc_pid_mountinfo(5)).
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def lines(path: str) -> Iterator[str]:
    """The lines of a file of the kernel's; none when it can not be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError:
        return


def words(path: str) -> list[str]:
    """The words of such a file."""
    return " ".join(lines(path)).split()
