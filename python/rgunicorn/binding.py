"""Binding an address: tried again while it is in use, shared by several sockets, tried out."""

from __future__ import annotations

import errno
import socket
import sys
import time

from rgunicorn import util

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger

# How often binding an address is tried, and the seconds between two tries.
TRIES = 5
PAUSE = 1.0


def patiently(
    address: Any, conf: Config, log: Logger, make: Callable[[Any, Config, Logger], Any]
) -> Any:
    """What `make(address, conf, log)` returns; when it fails, it is tried again, and said so.

    Raises:
        SystemExit: with 1, after `TRIES` tries.
    """
    for _ in range(TRIES):
        try:
            return make(address, conf, log)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                log.error("Connection in use: %s", address)
            elif exc.errno == errno.EADDRNOTAVAIL:
                log.error("Invalid address: %s", address)
            log.error("connection to %s failed: %s", address, exc)
            log.debug("Retrying in 1 second.")
            time.sleep(PAUSE)
    log.error("Can't connect to %s", address)
    sys.exit(1)


def try_out(conf: Config, log: Logger) -> None:
    """With `reuse_port`, binds every TCP address once and lets it go.

    Each worker binds for itself, so without this a port in use would only show as workers that
    die. Nothing listens: a listener would take connections away from a server that shares the
    port.

    Raises:
        SystemExit: as `patiently`.
    """
    for address in conf.address:
        if isinstance(address, tuple):
            patiently(address, conf, log, _bind_unheard).close()


def share_port(sock: socket.socket) -> None:
    """Lets other sockets of this user bind the same port."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as exc:
        # Old kernels do not know it, new ones refuse it on unix sockets.
        if exc.errno not in (errno.ENOPROTOOPT, errno.EINVAL, errno.EOPNOTSUPP):
            raise


def _bind_unheard(address: tuple[str, int], conf: Config, log: Logger) -> socket.socket:
    family = socket.AF_INET6 if util.is_ipv6(address[0]) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        share_port(sock)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
