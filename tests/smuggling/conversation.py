"""One client connection: a payload, then an innocent request, and what came back."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass, field

from harness.server import Address

from .payload import HOST

QUIET = 0.15
"""Seconds without a byte after which a server is taken to have answered a payload."""
PATIENCE = 4.0
"""Seconds without a byte after which it is taken to wait for more of it."""
LONG = 30.0
"""The same for what must come."""


@dataclass
class Conversation:
    """What came back."""

    answers: list[dict[str, str]] = field(default_factory=list)
    """What the application says it saw, answer by answer."""
    refusals: list[int] = field(default_factory=list)
    """The statuses of all others, after the hints."""
    rubbish: bytes = b""
    """What is no response."""
    cut: bool = False
    """We have left before the innocent request was answered."""

    def has_answered(self, number: int) -> bool:
        """Whether the innocent request of that number was answered."""
        return any(one["target"] == f"/innocent/{number:04}" for one in self.answers)


def innocent(number: int) -> bytes:
    """A request that wants its own answer."""
    return b"GET /innocent/%04d HTTP/1.1\r\n%s\r\n" % (number, HOST)


def converse(address: Address, payload: bytes, number: int) -> Conversation:
    """Sends `payload`; when it is answered, or more of it is waited for, an innocent request.

    How long it waits changes what a payload is tried with, never what is right.
    """
    with connected(address) as sock:
        came = bytearray()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(payload)
            waited = _read(sock, came, PATIENCE)
            if waited:
                sock.sendall(innocent(number))
                mark = b'"target": "/innocent/%04d"' % number
                # Whoever still waits for the rest of a payload has swallowed it.
                waited = _read(sock, came, LONG if came else PATIENCE, mark)
    found = understood(bytes(came))
    found.cut = waited and not found.has_answered(number)
    return found


def ask(address: Address, payload: bytes, number: int | None = None) -> Conversation:
    """Sends `payload`, and reads until the answer to the innocent request of that number; without
    one, until the server closes."""
    with connected(address) as sock:
        came = bytearray()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(payload)
            mark = b"" if number is None else b'"target": "/innocent/%04d"' % number
            _read(sock, came, LONG, mark or None, to_close=number is None)
    return understood(bytes(came))


def connected(address: Address) -> socket.socket:
    """A connection."""
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.connect(address)
    return sock


def _read(
    sock: socket.socket,
    came: bytearray,
    patience: float,
    mark: bytes | None = None,
    to_close: bool = False,
) -> bool:
    """Reads until `mark` has come, or without one until nothing comes for a moment; whether the
    connection is still open."""
    sock.settimeout(patience)
    while True:
        try:
            data = sock.recv(65536)
        except TimeoutError:
            return True
        if not data:
            return False
        came += data
        if mark is None and not to_close or mark and mark in came:
            sock.settimeout(QUIET)


def understood(raw: bytes) -> Conversation:
    """The responses in `raw`. Everybody here frames them by Content-Length, or by the end."""
    found = Conversation()
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ")
        if raw.startswith(b"{"):
            # nginx answers HTTP/0.9 with a body alone.
            found.answers.append(json.loads(raw))
            break
        if not end or not words[0].startswith(b"HTTP/1."):
            found.rubbish = raw
            break
        status = int(words[1])
        if status < 200:
            raw = rest
            continue
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
        length = int(fields.get(b"content-length", len(rest)))
        body, raw = rest[:length], rest[length:]
        if status == 200 and fields.get(b"content-type") == b"application/json":
            found.answers.append(json.loads(body))
        else:
            found.refusals.append(status)
    return found
