"""Requests that two parsers may read differently, by family.

`@@@@` in a payload becomes a number of four digits, so that every answer, every line of a log and
every record can be told whose it is; lengths stay right. What an attacker wants is that somebody
serves `/smuggled/@@@@`, which no front here lets through.

`taken` and `refused` say how the bytes are read by us, without a proxy: which requests the
application sees, and with what status the connection then ends, if it does. Through a proxy the
proxy decides; see `checks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: example.test\r\n"
SMUGGLED = b"GET /smuggled/@@@@ HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"0\r\n\r\n"
"""The end of a chunked body."""


@dataclass(frozen=True)
class Seen:
    """A request as the application sees it."""

    method: str
    path: str
    body: bytes = b""

    def numbered(self, number: int) -> Seen:
        """The same of the payload with that number."""
        text = f"{number:04}"
        body = self.body.replace(b"@@@@", text.encode())
        return Seen(self.method, self.path.replace("@@@@", text), body)


@dataclass(frozen=True)
class Case:
    """One payload."""

    family: str
    name: str
    raw: bytes
    taken: tuple[Seen, ...] = ()
    refused: int = 0
    """The status the connection ends with; 0 when it goes on."""

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"

    def numbered(self, number: int) -> bytes:
        """The bytes to send."""
        return self.raw.replace(b"@@@@", b"%04d" % number)


def head(*lines: bytes, method: bytes = b"POST", target: bytes = b"/first/@@@@") -> bytes:
    """A request head with a Host field."""
    fields = b"".join(line + b"\r\n" for line in lines)
    return b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, HOST, fields)


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def cl(body: bytes) -> bytes:
    """The field that tells the length of `body`."""
    return b"Content-Length: %d" % len(body)


CHUNKED = b"Transfer-Encoding: chunked"


def first(body: bytes = b"", method: str = "POST") -> tuple[Seen, ...]:
    """The application sees the first request only."""
    return (Seen(method, "/first/@@@@", body),)


def refused(family: str, status: int, rows: dict[str, bytes]) -> list[Case]:
    """Rows that are refused with `status`."""
    return [Case(family, name, raw, refused=status) for name, raw in rows.items()]


def taken(family: str, rows: dict[str, tuple[bytes, tuple[Seen, ...]]]) -> list[Case]:
    """Rows after which the connection goes on."""
    return [Case(family, name, raw, taken) for name, (raw, taken) in rows.items()]


HIDDEN = LAST + SMUGGLED
"""The end of a chunked body and a request, or all of it the body."""

INNER = chunk(SMUGGLED) + LAST
"""A request as a chunked body."""
