"""One client connection: a payload, then an innocent request, and what came back."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field

from harness.server import Address

from .payload import HOST

QUIET = 0.15
"""Seconds without a byte after which a front is taken to have said all it has to say."""
PATIENCE = 4.0
"""Seconds it has for its first byte."""


@dataclass
class Conversation:
    """What came back."""

    answers: list[dict[str, str]] = field(default_factory=list)
    """What the application says it saw, answer by answer."""
    refusals: list[int] = field(default_factory=list)
    """The statuses of all others, after the hints."""
    rubbish: bytes = b""
    """What is no response."""


def innocent(number: int) -> bytes:
    """A request that wants its own answer."""
    return b"GET /innocent/%04d HTTP/1.1\r\n%s\r\n" % (number, HOST)


def converse(address: Address, *payloads: bytes) -> Conversation:
    """Sends one payload after the other, and reads what comes after each of them.

    How long it waits changes what a payload is tried with, never what is right.
    """
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.connect(address)
        came = bytearray()
        for data in payloads:
            try:
                sock.sendall(data)
                open_ = _read(sock, came)
            except (BrokenPipeError, ConnectionResetError):
                break
            if not open_:
                break
    return understood(bytes(came))


def _read(sock: socket.socket, came: bytearray) -> bool:
    """Reads until nothing comes for a while; whether the connection is still open."""
    sock.settimeout(PATIENCE)
    while True:
        try:
            data = sock.recv(65536)
        except TimeoutError:
            return True
        if not data:
            return False
        came += data
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
