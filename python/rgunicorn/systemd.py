"""Socket activation and readiness, as systemd's sd_listen_fds(3) and sd_notify(3) define them."""

from __future__ import annotations

import logging
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.glogging import Logger

SD_LISTEN_FDS_START = 3


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


def sd_notify(state: str, logger: Logger | logging.Logger, unset_environment: bool = False) -> None:
    """Tells the service manager about our state; nothing happens outside of a service.

    Args:
        state: lines of `NAME=value`, in one datagram.
        logger: gets a debug line when the datagram can not be sent.
        unset_environment: remove `NOTIFY_SOCKET`, so that children can not notify.
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
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError:
        logger.debug("Exception while invoking sd_notify()", exc_info=True)
