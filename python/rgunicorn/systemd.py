"""What a master and the service manager tell each other.

As systemd's sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) define it.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.glogging import Logger

SD_LISTEN_FDS_START = 3

# How long a service manager that does not read may hold the master up.
_PATIENCE = 5.0


def listen_fds(unset_environment: bool = True) -> int:
    """How many listening sockets systemd gave this process, from descriptor 3 on.

    Args:
        unset_environment: remove the variables, so that children do not take the sockets for
            theirs. Nothing is removed when they name another process.

    Raises:
        ValueError: one of the variables is no number.
    """
    count = int(os.environ.get("LISTEN_FDS", 0))
    if int(os.environ.get("LISTEN_PID", 0)) != os.getpid():
        return 0
    if unset_environment:
        for name in ("LISTEN_PID", "LISTEN_FDS"):
            os.environ.pop(name, None)
    return count


def sd_notify(
    state: str,
    logger: Logger | logging.Logger,
    unset_environment: bool = False,
    patience: float = _PATIENCE,
) -> None:
    """Tells the service manager about our state; nothing happens outside of a service.

    Args:
        state: lines of `NAME=value`, in one datagram.
        logger: gets a debug line when the datagram can not be sent.
        unset_environment: remove `NOTIFY_SOCKET`, so that children can not notify.
        patience: seconds to wait for room in the socket's queue.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    if unset_environment:
        del os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(patience)
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError:
        logger.debug("Exception while invoking sd_notify()", exc_info=True)


class Unit:
    """The service whose main process this is, in what it reports to the service manager.

    Raises:
        RuntimeError: a variable that the service manager sets does not hold a number.
    """

    def __init__(self) -> None:
        #: While our predecessor lives (USR2), it is the main process and speaks for both.
        self.silent = False
        self._leaving = False
        usec = _number("WATCHDOG_USEC", 0)
        # Not for us when it names another process; without WATCHDOG_PID, for whoever has it.
        watched = usec > 0 and _number("WATCHDOG_PID", os.getpid()) == os.getpid()
        # Two signs of life in the time that the unit's WatchdogSec= sets.
        self._period = usec / 2e6 if watched else math.inf
        self._due = 0.0

    def ready(self, logger: Logger | logging.Logger, status: str) -> None:
        """The service serves: after its start, and after a reload that worked or failed."""
        self._tell(logger, "READY=1", f"STATUS={status}")

    def reloading(self, logger: Logger | logging.Logger) -> None:
        """A reload begins; `ready` ends it."""
        # Units of Type=notify-reload want to know that this is not an older message.
        usec = time.monotonic_ns() // 1000
        self._tell(logger, "RELOADING=1", f"MONOTONIC_USEC={usec}", "STATUS=Reloading")

    def leaving(self, logger: Logger | logging.Logger, successor: int, takes: float = 0) -> None:
        """This process is going to end; said once.

        Args:
            takes: seconds that it may need for that, when it needs more than others do: the service
                manager waits so long, also past the unit's TimeoutStopSec=.
            successor: the process that goes on with the service, 0 for none. It is named only now:
                until now it could have been taken back.
        """
        if self._leaving:
            return
        self._leaving = True
        if successor:
            self._tell(logger, f"MAINPID={successor}")
        else:
            # A little more: the limit is ours to keep.
            more = [f"EXTEND_TIMEOUT_USEC={int((takes + 5) * 1e6)}"] if takes else []
            self._tell(logger, "STOPPING=1", "STATUS=Shutting down", *more)

    def promoted(self, logger: Logger | logging.Logger) -> None:
        """Our predecessor is gone: this is the main process."""
        self.silent = False
        status = "STATUS=Gunicorn arbiter promoted"
        self._tell(logger, f"MAINPID={os.getpid()}", "READY=1", status)

    def live(self, logger: Logger | logging.Logger) -> float:
        """Sends a sign of life when it is time for one.

        Returns:
            Seconds until the next; infinite when nobody waits for any.
        """
        if self._period == math.inf:
            return math.inf
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self._period
            # One that finds no room is not worth a wait: the next is on its way.
            self._tell(logger, "WATCHDOG=1", patience=0)
        return self._due - now

    def _tell(
        self, logger: Logger | logging.Logger, *lines: str, patience: float = _PATIENCE
    ) -> None:
        if not self.silent:
            sd_notify("\n".join(lines), logger, patience=patience)


def hand_over_watchdog(environ: dict[str, str], master_pid: int) -> None:
    """In the environment of our successor, makes it the process that is watched."""
    if environ.get("WATCHDOG_PID") == str(master_pid):
        environ["WATCHDOG_PID"] = str(os.getpid())


def _number(name: str, default: int) -> int:
    value = os.environ.get(name)
    if not value:
        return default
    if not value.isdecimal():
        raise RuntimeError(f"environment variable {name}={value!r} is not a number")
    return int(value)
