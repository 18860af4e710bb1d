"""Where syslog is, as `syslog_addr` and `syslog_facility` say it, and what is sent there."""

from __future__ import annotations

import errno
import logging
import logging.handlers
import os
import socket
import sys
import time
from typing import Any

# RFC 5424 section 6.2.1.
SYSLOG_FACILITIES = {
    "auth": 4,
    "authpriv": 10,
    "cron": 9,
    "daemon": 3,
    "ftp": 11,
    "kern": 0,
    "lpr": 6,
    "mail": 2,
    "news": 7,
    "security": 4,
    "syslog": 5,
    "user": 1,
    "uucp": 8,
    **{f"local{number}": 16 + number for number in range(8)},
}


def parse_syslog_address(addr: str) -> tuple[int | None, str | tuple[str, int]]:
    """Reads `unix://PATH[#dgram]`, `udp://HOST[:PORT]` or `tcp://HOST[:PORT]` (port 514).

    Returns the socket type (None: datagram, else stream, whichever the daemon speaks) and what
    `SysLogHandler` takes as address. Raises RuntimeError for anything else.
    """
    scheme, separator, rest = addr.partition("://")
    if not separator or scheme not in ("unix", "udp", "tcp"):
        raise RuntimeError("invalid syslog address")
    if scheme == "unix":
        path, _, kind = rest.partition("#")
        return (socket.SOCK_DGRAM if kind == "dgram" else None, path)

    socktype = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    if "[" in rest and "]" in rest:
        host, port = rest[1:].split("]", 1)
        port = port.removeprefix(":") if port else "514"
    else:
        host, colon, port = rest.partition(":")
        port = port if colon else "514"
        host = host if colon else host or "localhost"
    if not port.isdigit():
        raise RuntimeError(f"{port!r} is not a valid port number.")
    return (socktype, (host.lower(), int(port)))


def handler_of(cfg: Any) -> Handler:
    """What sends to the syslog of a configuration.

    Raises:
        RuntimeError: `syslog_addr` or `syslog_facility` is none, or the syslog can not be reached.
    """
    facility = SYSLOG_FACILITIES.get(cfg.syslog_facility.lower())
    if facility is None:
        raise RuntimeError(
            f"unknown facility name: syslog_facility = {cfg.syslog_facility!r}. Use one of "
            "syslog(3), such as 'daemon' or 'local3'."
        )
    try:
        socktype, address = parse_syslog_address(cfg.syslog_addr)
    except RuntimeError as exc:
        raise RuntimeError(
            f"{exc}: syslog_addr = {cfg.syslog_addr!r}. Use udp://HOST:PORT, tcp://HOST:PORT "
            "or unix://PATH."
        ) from None
    try:
        return Handler(cfg.syslog_addr, address=address, facility=facility, socktype=socktype)
    except OSError as exc:
        raise RuntimeError(f"syslog_addr = {cfg.syslog_addr!r}: {exc}") from exc


# Seconds between two lines about what can not be sent, and between two tries to connect.
_BETWEEN_COMPLAINTS = 60.0
_BETWEEN_TRIES = 1.0


class Handler(logging.handlers.SysLogHandler):
    """Sends to a syslog that may go and come back.

    What can not be sent is lost, and the error log says so once a minute; Python's own handler
    prints a traceback for each line, and never connects by TCP again.

    Args:
        given: `syslog_addr` as the configuration has it.
        options: what `SysLogHandler` takes.

    Raises:
        OSError: a TCP server does not answer, or a host is unknown.
    """

    address: Any
    socket: Any
    socktype: Any

    def __init__(self, given: str, **options: Any) -> None:
        self._given = given
        self._lost = 0
        self._complaint_due = 0.0
        self._next_try = 0.0
        super().__init__(**options)

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record, or counts it as lost."""
        if self.socket is None and self._is_tcp():
            try:
                self._connect_again()
            except OSError:
                self.handleError(record)
                return
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        exc = sys.exc_info()[1]
        if not isinstance(exc, OSError):
            # Somebody's mistake in a call: Python shows which.
            super().handleError(record)
            return
        if self._is_tcp():
            self._hang_up()
        self._lost += 1
        now = time.monotonic()
        if now < self._complaint_due:
            return
        self._complaint_due = now + _BETWEEN_COMPLAINTS
        lost, self._lost = self._lost, 0
        # It comes here again; the time is set.
        logging.getLogger("gunicorn.error").warning(
            "Can't write to syslog_addr = %r: %s (lines lost so far: %d)", self._given, exc, lost
        )

    def _is_tcp(self) -> bool:
        return self.socktype == socket.SOCK_STREAM and not isinstance(self.address, str)

    def _hang_up(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _connect_again(self) -> None:
        now = time.monotonic()
        if now < self._next_try:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        self._next_try = now + _BETWEEN_TRIES
        # A host that does not answer must not hold the server for long.
        self.socket = socket.create_connection(self.address, timeout=_BETWEEN_TRIES)
