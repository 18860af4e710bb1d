"""What a process does to itself: background, identity, title, working directory."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def _load_setproctitle() -> Callable[[str], None] | None:
    if sys.platform == "darwin":
        # setproctitle crashes forked processes there (gunicorn issue 3021).
        return None
    try:
        setproctitle = import_module("setproctitle")
    except ImportError:
        return None
    # It looks for argv's memory on first use and finds it only while the environment is
    # unchanged; systemd's variables are about to be removed (gunicorn issue 3430).
    setproctitle.getproctitle()
    set_title: Callable[[str], None] = setproctitle.setproctitle
    return set_title


_set_title = _load_setproctitle()

# In a worker: its number among those that live, if its arbiter counts them.
worker_slot: int | None = None


def _setproctitle(title: str) -> None:
    """Shows `title` in process lists when `setproctitle` is installed, else does nothing."""
    if _set_title is not None:
        _set_title(f"gunicorn: {title}")


def getcwd() -> str:
    """The working directory, as the shell spells it (`PWD`) when that is the same directory."""
    cwd = os.getcwd()
    spelled = os.environ.get("PWD")
    if not spelled:
        return cwd
    try:
        return spelled if os.path.samefile(spelled, cwd) else cwd
    except OSError:
        return cwd


def daemonize(enable_stdio_inheritance: bool = False) -> None:
    """Puts this process into the background, in a session of its own, with umask 022.

    The callers' two parents exit with 0. Nothing happens in a master that was re-executed
    (`GUNICORN_FD` is set): its parent is in the background already.

    Args:
        enable_stdio_inheritance: keep stdout and stderr where they are not terminals; else both
            go to /dev/null. stdin always does.
    """
    if "GUNICORN_FD" in os.environ:
        return

    for become_leader in (True, False):
        # A session leader could get a controlling terminal back, so its child goes on instead.
        if os.fork():
            os._exit(0)
        if become_leader:
            os.setsid()
    os.umask(0o22)

    null = os.open(os.devnull, os.O_RDWR)
    # PEP 446: with one of 0-2 closed at the start, `null` may be that descriptor itself.
    os.set_inheritable(null, True)
    os.dup2(null, 0)
    for fd in (1, 2):
        if not enable_stdio_inheritance or os.isatty(fd):
            os.dup2(null, fd)
    if null > 2:
        os.close(null)


def obey_term() -> None:
    """As pid 1 of a container, which has no default handlers: TERM ends this process.

    For the time until the master has its own. Without it a stop of the container while the
    application is preloaded would be ignored, and end in SIGKILL.
    """
    if os.getpid() != 1 or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(sig: int, frame: FrameType | None) -> None:
        if os.getpid() == 1:
            os._exit(128 + sig)
        # Somebody's child, which has inherited this.
        signal.signal(sig, signal.SIG_DFL)
        os.kill(os.getpid(), sig)

    signal.signal(signal.SIGTERM, end)


def get_username(uid: int) -> str:
    """Login name of a user id; KeyError when there is none."""
    import pwd

    return pwd.getpwuid(uid).pw_name


def set_owner_process(uid: int, gid: int, initgroups: bool = False) -> None:
    """Makes this process run as `uid` and `gid`; 0 leaves the one it belongs to alone.

    Args:
        initgroups: also take the user's supplementary groups; skipped for a uid without a name.
    """
    if gid:
        username = None
        if initgroups and uid:
            try:
                username = get_username(uid)
            except KeyError:
                # A uid without a passwd entry (containers) has no groups to take.
                username = None
        if username is not None:
            os.initgroups(username, gid)
            # initgroups(3) leaves the primary group as it was.
            os.setgid(gid)
        elif gid != os.getgid():
            os.setgid(gid)

    if uid and uid != os.getuid():
        os.setuid(uid)


def seed() -> None:
    """Reseeds `random`, which a forked worker would share with its siblings."""
    import random

    random.seed(os.urandom(64))


def end_within(seconds: int) -> None:
    """SIGALRM ends this process after `seconds` (at least one), whatever it hangs in: a hook, a
    thread that is joined, `atexit`. The master gives no deadline to a worker that it has not told
    to leave, and with `timeout` 0 it would stay for ever."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, max(1, seconds))


def is_leaving() -> None:
    """The last act of a worker: what tells it to leave is not news any more, and it has no line
    left for a log file that SIGUSR1 would open again.

    The interpreter's end puts the default handlers back, and a signal that comes after that kills:
    a worker may see in shared memory that the server stops before its signal is sent, and leaves
    by itself (`max_requests`) whenever it likes.
    """
    for sig in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1):
        if callable(signal.getsignal(sig)):
            signal.signal(sig, signal.SIG_IGN)


def take_slot(slot: int | None) -> None:
    """This process is the worker with the number `slot`: for log lines, and for the application,
    which finds it as `RGUNICORN_WORKER_SLOT` in its environment."""
    global worker_slot
    worker_slot = slot
    # One that a server above us has left is not ours.
    os.environ.pop("RGUNICORN_WORKER_SLOT", None)
    if slot is not None:
        os.environ["RGUNICORN_WORKER_SLOT"] = str(slot)
