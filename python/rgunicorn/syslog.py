"""Where syslog is, as `syslog_addr` and `syslog_facility` say it."""

from __future__ import annotations

import socket

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
