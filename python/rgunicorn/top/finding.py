"""Which server is meant: by its pid, by that of a worker, by a pidfile, or the only one here."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rgunicorn.top import boards, processes


class NotFound(Exception):
    """There is no server to look at; the text says why, and what to do."""


@dataclass(frozen=True)
class Server:
    """A master, and when it was born: what has its number later is somebody else."""

    pid: int
    born: int

    def lives(self) -> bool:
        """Whether it is still there."""
        return processes.born(self.pid) == self.born


def find(target: str | None = None, pidfile: str | None = None) -> Server:
    """The server that somebody means.

    Args:
        target: a pid, or the path of a pidfile; None: the only server of this user.
        pidfile: the path of a pidfile.

    Raises:
        NotFound: there is none, or more than one, or it must not be looked at.
    """
    if pidfile is not None:
        return by_pid(read_pidfile(pidfile), f" of {pidfile}")
    if target is None:
        return only_one()
    if target.isdecimal() and target.isascii():
        return by_pid(int(target))
    return by_pid(read_pidfile(target), f" of {target}")


def read_pidfile(path: str) -> int:
    """The pid in a pidfile.

    Raises:
        NotFound: it can not be read, or has none.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(64).strip()
    except OSError as exc:
        raise NotFound(f"{path}: {exc.strerror}: name a pid, or the server's pidfile") from None
    if not text.isdecimal() or not text.isascii() or int(text) == 0:
        raise NotFound(f"{path} is no pidfile: it says {text[:32]!r}")
    return int(text)


def by_pid(pid: int, of: str = "") -> Server:
    """The server that a process is, or belongs to.

    Args:
        pid: the process.
        of: where the number is from, for messages.

    Raises:
        NotFound: it is no process of a server, or must not be looked at.
    """
    if not processes.exists(pid):
        raise NotFound(f"no process {pid}{of}: the server is not running")
    try:
        own = boards.of(pid)
    except PermissionError:
        raise NotFound(
            f"process {pid}{of} is of user {processes.user(pid)} "
            f"({processes.command(pid)}): only that user and root may look at it"
        ) from None
    except OSError:
        raise NotFound(f"process {pid}{of} has just ended") from None
    if not own:
        what = processes.command(pid) or "a process that has ended"
        raise NotFound(f"process {pid}{of} is no rgunicorn: {what}")
    try:
        return _master(_top(pid, own), pid)
    except OSError:
        raise NotFound(f"process {pid}{of} has just ended") from None


def only_one() -> Server:
    """The only server that this user may look at.

    Raises:
        NotFound: there is none, or more than one.
    """
    found = everywhere()
    if not found:
        whose = "" if os.geteuid() == 0 else f" of user {processes.user(os.getpid())}"
        raise NotFound(f"no rgunicorn{whose} is running here")
    if len(found) == 1:
        return found[0]
    lines = [f"{len(found)} servers are running here: say which, by its pid or pidfile"]
    width = max(len(str(server.pid)) for server in found)
    for server in found:
        at = ", ".join(processes.addresses(server.pid)) or "-"
        lines.append(f"{server.pid:>{width}}  {at}  {processes.command(server.pid)}")
    raise NotFound("\n".join(lines))


def everywhere() -> list[Server]:
    """All servers that this user may look at, by pid. Root looks at those of all users, anybody
    else at his own."""
    found: dict[int, Server] = {}
    for pid in processes.everybody():
        try:
            own = boards.of(pid)
            top = _top(pid, own) if own else pid
            if own and top not in found:
                found[top] = _master(top, pid)
        except (OSError, NotFound):
            continue  # not ours to look at, just gone, or a worker without a master
    return [found[pid] for pid in sorted(found)]


def _top(pid: int, own: list[boards.Board]) -> int:
    """The first of `pid` and its forebears that has the same scoreboards as `pid`, `own`."""
    names = {board.name for board in own}
    while above := processes.parent(pid):
        try:
            if names.isdisjoint(board.name for board in boards.of(above)):
                break
        except OSError:
            break
        pid = above
    return pid


def _master(pid: int, asked: int) -> Server:
    born = processes.born(pid)
    if born is None or not _is_master(pid):
        raise NotFound(f"process {asked} is a worker whose master has ended")
    return Server(pid, born)


def _is_master(pid: int) -> bool:
    """Whether the scoreboard says so. One of another layout, which we can not read, and one that
    says nothing yet are believed to be their holder's."""
    for board in boards.of(pid):
        try:
            said = board.open().snapshot()["server"]["pid"]
        except ValueError:
            return True
        if said in (0, processes.inner_pid(pid)):
            return True
    return False
