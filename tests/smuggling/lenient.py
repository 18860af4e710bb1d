"""A server that reads requests the way smugglers like: what the checks must find wrong.

It takes a bare LF for a line end, the last Content-Length, any Transfer-Encoding that has "chunked"
in it but prefers the length, whatever `int()` takes for a number, folds lines and forgets bodies of
GET. It keeps connections. Never to be used for anything else.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BREAKS = (OSError, ValueError, IndexError, OverflowError)
"""What a server without manners dies of; here it ends the connection."""


class Lenient:
    """It listens on `address` and enters what it serves in the file `record`."""

    def __init__(self, record: Path) -> None:
        self.record = record
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listener.getsockname()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(5)
        with sock, sock.makefile("rb") as lines, contextlib.suppress(*BREAKS):
            while line := lines.readline():
                if line.strip():
                    self._answer(sock, line.split(), lines)

    def _answer(self, sock: socket.socket, words: list[bytes], lines: BinaryIO) -> None:
        fields: dict[bytes, bytes] = {}
        name = b""
        while (line := lines.readline()).strip():
            if line[:1] in b" \t":
                fields[name] = fields.get(name, b"") + line.strip()
                continue
            name, _, value = line.partition(b":")
            name = name.strip().lower()
            fields[name] = value.strip()
        body = b""
        if words[0] == b"GET":
            pass
        elif b"content-length" in fields:
            body = lines.read(int(fields[b"content-length"]))
        elif b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            while size := int(lines.readline().split(b";")[0], 16):
                body += lines.read(size)
                lines.readline()
            while lines.readline().strip():
                pass
        target = words[1].decode("latin-1")
        seen = {
            "method": words[0].decode("latin-1"),
            "target": target,
            "path": target.partition("?")[0],
            "body": body.decode("latin-1"),
        }
        line = json.dumps(seen).encode()
        with self._lock, self.record.open("ab") as record:
            record.write(line + b"\n")
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(line), line)
        )


@contextlib.contextmanager
def lenient(record: Path) -> Iterator[Lenient]:
    """The server, for as long as the block lasts."""
    record.touch()
    server = Lenient(record)
    try:
        yield server
    finally:
        server.listener.close()
