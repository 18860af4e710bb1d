"""`Keeper`: the master's side of the status process.

It is no worker: neither the fleet nor hooks know of it. The master keeps the listening socket, so
that nobody is refused while one process takes the place of another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time

from rgunicorn import binding, sock, status, util
from rgunicorn._core import fork
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.arbiter import Arbiter
    from rgunicorn.config import Config
    from rgunicorn.supervisor import Supervisor

# How a re-executed master is given the socket: its descriptor, and what `status_bind` was.
VARIABLE = "RGUNICORN_STATUS_FD"

# Seconds. A process that ends is started again at once when it has lived for that long, else after
# a pause that doubles each time, up to the last number.
_STEADY = 60.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0

# Seconds that it has for its end.
_LAST = 2.0

_CURES = {
    errno.EADDRINUSE: "something else listens there: choose another port or path",
    errno.EADDRNOTAVAIL: "this machine does not have that address: choose one of its own, such as "
    "127.0.0.1",
    errno.EACCES: "choose a port above 1023, or a directory that this user may write to",
    errno.ENOENT: "make the directory of the socket first",
}


class Place:
    """Where the pages are served.

    Args:
        bind: `status_bind` as it is set.
        listener: the socket that listens there.
    """

    def __init__(self, bind: str, listener: sock.BaseSocket) -> None:
        self.bind = bind
        self.listener = listener

    def close(self, unlink: bool) -> None:
        """Closes the socket; with `unlink` the file of a unix socket goes, too."""
        sock.close_sockets([self.listener], unlink)


class Child:
    """A status process.

    Args:
        pid: its process.
        line: our end of the pipe that tells it to leave when it is closed.
        plan: what it was told.
    """

    def __init__(self, pid: int, line: int, plan: status.Plan) -> None:
        self.pid = pid
        self.line = line
        self.plan = plan
        self.since = time.monotonic()


class Keeper:
    """Sees to it that there is a status process when there should be one."""

    def __init__(self) -> None:
        self._place: Place | None = None
        # Of a reload that is not done yet.
        self._next: Place | None = None
        self._child: Child | None = None
        # Processes that were told to leave.
        self._leaving: set[int] = set()
        # What the plan was made of.
        self._seen: tuple[Any, ...] = ()
        self._plan: status.Plan | None = None
        # Seconds; monotonic time.
        self._pause = 0.0
        self._due = 0.0
        self._over = False

    def open(self, server: Arbiter) -> None:
        """Listens on `status_bind` if it is set, or takes over what the last master has passed on.

        Raises:
            ConfigError: the address can not be had.
        """
        inherited = _inherited(server)
        if server.cfg.status_bind is not None:
            self._place = inherited or _listen(server, binding.TRIES)

    def prepare(self, server: Arbiter) -> None:
        """A reload has a new configuration: listens where it says, beside the old address.

        Raises:
            ConfigError: the address can not be had.
        """
        self._drop_next()
        bind = server.cfg.status_bind
        if bind is not None and (self._place is None or self._place.bind != bind):
            self._next = _listen(server, 1)

    def look(self, server: Supervisor) -> None:
        """One turn of a loop of the master: starts the process, puts another in its place, or ends
        it, as it has become right."""
        if self._over or (self._place is None and self._next is None):
            return
        settled = getattr(server, "_pending", None) is None
        if settled:
            self._settle(server)
        if self._place is None or server._upgrade.answers_elsewhere:
            self._dismiss()
            return
        seen = (server.cfg, server.proc_name, self._place)
        # While a reload is on its way, what was in force before it counts.
        if self._plan is None or (settled and seen != self._seen):
            self._seen, self._plan = seen, status.Plan(server, self._place.listener)
        if self._child is not None and self._child.plan == self._plan:
            return
        if time.monotonic() >= self._due:
            self._start(server, self._place, self._plan)

    def on_ended(self, server: Supervisor, pid: int, code: int | None, sig: int | None) -> bool:
        """Whether the child `pid` that has ended was a status process; the next one is due then."""
        if pid in self._leaving:
            self._leaving.remove(pid)
            return True
        child = self._child
        if child is None or child.pid != pid:
            return False
        self._child = None
        os.close(child.line)
        how = f"was killed by signal {sig}" if code is None else f"ended with exit code {code}"
        when = self._put_off(time.monotonic() - child.since)
        server.log.warning("Status process (pid:%s) %s: the next one starts %s", pid, how, when)
        return True

    def in_worker(self) -> None:
        """In a forked worker: all of this is its master's."""
        self._over = True
        if self._child is not None:
            os.close(self._child.line)
        for place in (self._place, self._next):
            if place is not None:
                place.close(unlink=False)
        self._child = self._place = self._next = None

    def pass_on(self, environ: dict[str, str]) -> None:
        """In a child that is about to execute a new master: the socket goes with it."""
        if self._place is not None:
            fd = self._place.listener.fileno()
            os.set_inheritable(fd, True)
            environ[VARIABLE] = f"{fd},{self._place.bind}"

    def end(self, server: Supervisor) -> None:
        """The master ends: nobody has anything to ask any more."""
        self._over = True
        self._dismiss()
        self._drop_next()
        self._close_place(server)
        deadline = time.monotonic() + _LAST
        for pid in self._leaving:
            _await(pid, deadline)
        self._leaving.clear()

    def _settle(self, server: Supervisor) -> None:
        """No reload is on its way: the configuration in force says where the pages are."""
        bind = server.cfg.status_bind
        if self._place is not None and self._place.bind != bind:
            self._dismiss()
            self._close_place(server)
            if bind is None:
                server.log.info("The status pages are off")
        if self._next is not None and self._next.bind == bind:
            self._place, self._next = self._next, None
        self._drop_next()

    def _close_place(self, server: Supervisor) -> None:
        if self._place is not None:
            # The other master of an upgrade serves there, too.
            predecessor = getattr(server, "master_pid", 0)
            shared = server.reexec_pid or (predecessor and predecessor == os.getppid())
            self._place.close(unlink=not shared)
            self._place = None

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next.close(unlink=True)
            self._next = None

    def _start(self, server: Supervisor, place: Place, plan: status.Plan) -> None:
        try:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            try:
                pid = fork(server.SIG_QUEUE, status.be_deaf)
            except OSError:
                os.close(reader)
                os.close(writer)
                raise
        except OSError as exc:
            when = self._put_off(0)
            server.log.error("No status process: %s; the next try is %s", exc, when)
            return
        if not pid:
            status.live(plan, reader, server.log)
        os.close(reader)
        self._dismiss()
        self._child = Child(pid, writer, plan)
        server.log.info("Status pages at: %s (%s)", place.listener, pid)

    def _dismiss(self) -> None:
        """Tells the process to leave; it ends what it has begun."""
        if self._child is not None:
            os.close(self._child.line)
            self._leaving.add(self._child.pid)
            self._child = None

    def _put_off(self, lived: float) -> str:
        """Says when the next try is, after one that has `lived` for so many seconds."""
        pause = 0.0 if lived >= _STEADY else self._pause
        self._due = time.monotonic() + pause
        self._pause = min(pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        return f"in {pause:.0f} s" if pause else "now"


class _Terms:
    """The configuration as `sock` is to see it for this socket: nobody shares the port, and no TLS
    is spoken."""

    reuse_port = False
    is_ssl = False
    backlog = 128

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)


def _listen(server: Arbiter, tries: int) -> Place:
    bind = server.cfg.status_bind
    for left in reversed(range(tries)):
        try:
            return Place(bind, _socket(server))
        except ValueError as exc:
            raise ConfigError(f"status_bind = {bind!r} can not be listened on: {exc}") from exc
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or not left:
                cure = _CURES.get(exc.errno or 0, "see whether the address is right")
                raise ConfigError(
                    f"status_bind = {bind!r} can not be listened on ({exc.strerror or exc}): {cure}"
                ) from exc
            server.log.warning("status_bind = %r is in use: trying again", bind)
            time.sleep(binding.PAUSE)
    raise AssertionError("the last try returns or raises")


def _socket(server: Arbiter, fd: int | None = None) -> sock.BaseSocket:
    """The listener on `status_bind`, or around a socket that listens there already."""
    address: Any = util.parse_address(server.cfg.status_bind)
    kind: type[sock.BaseSocket] = sock.UnixSocket
    if isinstance(address, tuple):
        kind = sock.TCP6Socket if util.is_ipv6(address[0]) else sock.TCPSocket
    listener = kind(address, _Terms(server.cfg), server.log, fd=fd)  # type: ignore[arg-type]
    # Only a new master is to have it, and then we say so.
    listener.set_inheritable(False)
    return listener


def _inherited(server: Arbiter) -> Place | None:
    """What the master before this one has passed on; None when there is nothing of use."""
    number, _, bind = os.environ.pop(VARIABLE, "").partition(",")
    if "GUNICORN_PID" not in os.environ or not number.isdecimal():
        return None
    fd = int(number)
    try:
        with socket.socket(fileno=os.dup(fd)) as probe:
            if not probe.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return None
    except OSError:
        # Of a variable that somebody else passes on, the number may mean anything.
        return None
    if bind != server.cfg.status_bind:
        os.close(fd)
        return None
    return Place(bind, _socket(server, fd))


def _await(pid: int, deadline: float) -> None:
    """Reaps a process that was told to leave; kills it at the deadline."""
    with contextlib.suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.005)
