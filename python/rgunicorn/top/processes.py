"""What the kernel says of a process of somebody else: proc(5)."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from dataclasses import dataclass

from rgunicorn import _core, memory
from rgunicorn.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")

# proc_net_tcp(5): listening.
_LISTEN = "0A"
# Of a unix socket: it accepts connections.
_ACCEPTS = 0x10000


@dataclass(frozen=True)
class Usage:
    """What a process uses: bytes, and seconds of CPU. None: nobody tells us."""

    rss: int | None = None
    pss: int | None = None
    cpu: float | None = None


def exists(pid: int) -> bool:
    """Whether there is such a process, of any user."""
    return os.path.exists(f"/proc/{pid}")


def command(pid: int, most: int = 200) -> str:
    """Its command line, or its name, in one printable line; empty when it is gone."""
    for name in ("cmdline", "comm"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
            words = file.read(4096).rstrip(b"\0\n ").replace(b"\0", b" ")
            if words:
                text = printable(words.decode("utf-8", "backslashreplace"))
                return text if len(text) <= most else text[: most - 1] + "…"
    return ""


def user(pid: int) -> str:
    """Name, or number, of the user that it runs as; `?` when it is gone."""
    import pwd

    uid = status(pid).get("Uid", "?").split()[0]
    try:
        return pwd.getpwuid(int(uid)).pw_name
    except (KeyError, ValueError):
        return uid


def status(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return {name: value.strip() for name, _, value in pairs}
    except OSError:
        return {}


def parent(pid: int) -> int:
    """Its parent, 0 for none."""
    return int(status(pid).get("PPid", 0))


def inner_pid(pid: int) -> int:
    """Its number as it sees it itself: in a container another one than here."""
    return int(status(pid).get("NSpid", str(pid)).split()[-1])


def born(pid: int) -> int | None:
    """When it started, in ticks since the machine did: with the number it is its name for good.
    None: it is gone, or dead and not waited for."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def everybody() -> list[int]:
    """All processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Its children."""
    try:
        found = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        return found
    except OSError:  # a kernel that does not list them
        return [it for it in everybody() if parent(it) == pid]


def usage(pid: int, shares: bool = False) -> Usage:
    """What it uses.

    Args:
        pid: the process.
        shares: also its PSS, which costs the kernel 20 ms for each GB.
    """
    rss = pss = None
    fields = _stat(pid)
    if len(fields) > 21:
        rss = int(fields[21]) * _PAGE
    if shares:
        # Another user's is nobody's business, and old kernels have none.
        with contextlib.suppress(OSError):
            pss = memory.usage(pid).pss
    return Usage(rss, pss, _core.cpu_time(pid))


def links(pid: int) -> dict[int, str]:
    """What each descriptor of it leads to.

    Raises:
        OSError: it is gone, or another user's.
    """
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def addresses(pid: int) -> list[str]:
    """Where it listens: `127.0.0.1:8000`, `[::1]:8000`, `unix:/path`; as far as we are told."""
    try:
        sockets = {link[8:-1] for link in links(pid).values() if link.startswith("socket:[")}
    except OSError:
        return []
    found = [at for at, inode in _listeners(pid) if inode in sockets]
    return sorted(dict.fromkeys(found))


def _listeners(pid: int) -> Iterator[tuple[str, str]]:
    for name in ("tcp", "tcp6", "unix"):
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{pid}/net/{name}", encoding="utf-8", errors="replace") as file,
        ):
            for line in list(file)[1:]:
                fields = line.rstrip("\n").split(None, 7 if name == "unix" else -1)
                if name != "unix" and len(fields) > 9 and fields[3] == _LISTEN:
                    yield _spelled(fields[1]), fields[9]
                elif name == "unix" and len(fields) == 8 and int(fields[3], 16) & _ACCEPTS:
                    yield f"unix:{printable(fields[7])}", fields[6]


def _spelled(address: str) -> str:
    host, _, port = address.partition(":")
    # Words of 32 bits in the machine's order.
    packed = b"".join(
        int(word, 16).to_bytes(4, sys.byteorder) for word in re.findall("[0-9A-F]{8}", host.upper())
    )
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name may hold blanks and parentheses: fields start after the last one.
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []
