"""The status process (`status_bind`): what it is told, how it comes to be what it is.

It answers questions about the server from the scoreboard (`src/status`), so that the master never
reads a byte from a client. `statuskeeper.py` is the master's side.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import traceback

from rgunicorn import __version__, util
from rgunicorn._core import serve_status
from rgunicorn.workers import workertmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from rgunicorn.glogging import Logger
    from rgunicorn.supervisor import Supervisor

# Seconds that requests may run in all threads of the server, with no end of any, before it is taken
# for stuck, if no setting says more.
_STUCK = 60.0

# The connections of the process, and a few for /proc and the kernel's tables.
_DESCRIPTORS = 128

# Signals to a whole process group or control group are meant for the master: with it the process
# lives and ends.
_DEAF_TO = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")


class Plan:
    """What a status process is told at its start; another plan needs another process.

    Args:
        server: the master.
        listener: where the pages are served.
    """

    def __init__(self, server: Supervisor, listener: Any) -> None:
        cfg = server.cfg
        self.version = __version__
        self.title = f"status [{server.proc_name}]"
        self.board = workertmp.shared(cfg)
        self.master = server.pid
        self.uid, self.gid = cfg.uid, cfg.gid
        self.cwd = _text(util.getcwd())
        self.protocol = cfg.protocol
        #: The listeners of the server: address and inode number.
        self.doors = [_door(it) for it in server.LISTENERS]
        #: Seconds, 0 for no limit.
        self.timeout = cfg.timeout
        self.stuck = cfg.request_timeout or max(cfg.timeout, _STUCK)
        self.max_queue = cfg.max_queue
        self.listener = listener.fileno()
        self.is_unix = listener.family == socket.AF_UNIX

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def _door(listener: Any) -> tuple[str, int]:
    name = listener.getsockname()
    if isinstance(name, tuple):
        host, port = name[:2]
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    elif isinstance(name, bytes):
        name = b"@" + name[1:]
    return _text(name), os.fstat(listener.fileno()).st_ino


def _text(name: str | bytes) -> str:
    """A name of the file system, which need not be UTF-8, as text that is."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def be_deaf() -> None:
    """In the process, before any signal is let through to it: it obeys none."""
    for name in _DEAF_TO:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)


def live(plan: Plan, line: int, log: Logger) -> NoReturn:
    """The whole life of the process. Not a word of it may reach the main loop above.

    Args:
        plan: what it is told.
        line: a descriptor; when its other end is closed, the process is to leave.
        log: used for what happens before the descriptors are closed.
    """
    code = 1
    try:
        util._setproctitle(plan.title)
        _silence()
        # Of a process that has changed its user the kernel shows nothing in /proc.
        others = _descriptors() - {0, 1, 2, line, plan.listener}
        _give_up_rights(plan, log)
        _close(others)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        serve_status(plan.board, plan.listener, line, plan)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _silence() -> None:
    """There is nothing to read on stdin, and nothing to be said on stdout."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)


def _give_up_rights(plan: Plan, log: Logger) -> None:
    """Of root: becomes the user of the workers, or nobody when they are root themselves."""
    if os.geteuid() != 0:
        return
    nobody = _nobody()
    try:
        os.setgroups([])
        os.setgid(plan.gid or nobody[1])
        os.setuid(plan.uid or nobody[0])
    except OSError as exc:
        # A user namespace without that user, or no right to change it.
        log.warning("The status process stays root: it can not become another user (%s)", exc)


def _nobody() -> tuple[int, int]:
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        # What the kernel calls the overflow user.
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


def _descriptors() -> set[int]:
    """All that are open, perhaps more."""
    try:
        return {int(name) for name in os.listdir("/proc/self/fd")}
    except OSError:
        return set(range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))


def _close(descriptors: set[int]) -> None:
    """Above all the listeners of the server, which nobody must keep open who does not accept."""
    for fd in descriptors:
        # That of the listing itself is gone already.
        with contextlib.suppress(OSError):
            os.close(fd)
