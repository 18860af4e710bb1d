"""A service manager's end of sd_notify(3): what is said to it, and by whom."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import NamedTuple

_CREDENTIALS = struct.Struct("iII")
"""struct ucred of unix(7): pid, uid, gid."""


class Message(NamedTuple):
    """One datagram."""

    pid: int
    """The process that sent it, as the kernel says."""
    lines: list[str]


class Notified:
    """Listens on a path, or with `abstract` on a name without a file.

    `address` is the value for NOTIFY_SOCKET.
    """

    def __init__(self, directory: Path, abstract: bool = False) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(20)
        path = str(directory / "notify")
        self.sock.bind(f"\0{path}" if abstract else path)
        self.address = f"@{path}" if abstract else path

    def next(self) -> Message:
        """The next message that is no mere sign of life."""
        while (message := self.any()).lines == ["WATCHDOG=1"]:
            pass
        return message

    def any(self) -> Message:
        """The next message."""
        data, ancillary, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
        (_, _, credentials) = ancillary[0]
        return Message(_CREDENTIALS.unpack(credentials)[0], data.decode().split("\n"))

    def rest(self) -> list[Message]:
        """What has come by now; for when everybody who could say more is gone."""
        self.sock.settimeout(0)
        messages = []
        try:
            while True:
                messages.append(self.any())
        except BlockingIOError:
            return messages

    def close(self) -> None:
        self.sock.close()
