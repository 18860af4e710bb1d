"""A service manager's end of sd_notify(3): what is said to it, and by whom."""

from __future__ import annotations

import queue
import socket
import struct
import threading
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
        path = str(directory / "notify")
        self.sock.bind(f"\0{path}" if abstract else path)
        self.address = f"@{path}" if abstract else path
        self._messages: queue.Queue[Message] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self) -> Message:
        """The next message that is no mere sign of life."""
        while (message := self.any()).lines == ["WATCHDOG=1"]:
            pass
        return message

    def any(self) -> Message:
        """The next message."""
        return self._messages.get(timeout=20)

    def rest(self) -> list[Message]:
        """What has come by now; for when everybody who could say more is gone."""
        self.close()
        return list(self._messages.queue)

    def close(self) -> None:
        """Stops listening, behind all that has been sent; a second time does nothing."""
        if self.sock.fileno() < 0:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.sock.getsockname())
        self._thread.join(20)
        self.sock.close()

    def _read(self) -> None:
        # All the time, as a service manager does: the kernel keeps ten datagrams and no more.
        while True:
            data, ancillary, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            if not data:
                return
            (_, _, credentials) = ancillary[0]
            pid = _CREDENTIALS.unpack(credentials)[0]
            self._messages.put(Message(pid, data.decode().split("\n")))
