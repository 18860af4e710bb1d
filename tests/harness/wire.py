"""A client that knows bytes: it sends what it is given and reads one response at a time."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import termios
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from .server import Address
from .tls import TLSAddress, TLSStream


@dataclass
class Response:
    """One response as it came over the wire."""

    head: bytes
    """Status line and fields with their CRLFs and the empty line."""
    body: bytes = b""
    trailers: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    """The chunks of a chunked body, the last empty one left out."""
    hints: list[bytes] = field(default_factory=list)
    """Heads of the 1xx responses before it."""

    @property
    def status_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def status(self) -> int:
        return int(self.status_line.split(" ")[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        pairs = (line.partition(":") for line in lines)
        return [(name, value.removeprefix(" ")) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        """The value of the only field called `name`, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} appears {len(values)} times in {self.head!r}"
        return values[0] if values else None


class Closed(Exception):
    """The server closed before the response was complete; `args[0]` is what had come."""


class Wire:
    """One connection. Every read and write is bounded by `timeout` seconds.

    To a `TLSAddress`, or with a client's `context`, it speaks TLS and resumes `session`.
    """

    def __init__(
        self,
        address: Address,
        timeout: float = 20,
        receive_buffer: int = 0,
        source: str = "",
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        raw = socket.socket(family)
        raw.settimeout(timeout)
        if receive_buffer:
            # Before connect(), or the window is negotiated without it.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source and family == socket.AF_INET:
            # Any address of 127/8 will do as a second machine.
            raw.bind((source, 0))
        raw.connect(address)
        if family == socket.AF_INET:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: Any = raw
        if isinstance(address, TLSAddress) or context is not None:
            self.sock = TLSStream(raw, context, session)
        self._buffer = bytearray()
        self.received = bytearray()
        """All that ever came."""

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Wire:
        self.sock.sendall(data)
        return self

    def is_delivered(self) -> bool:
        """Whether all that was sent lies on the server's side. On a machine that is busy the kernel
        may leave it for a while to a thread of its own (ksoftirqd), even on loopback."""
        return fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)) == bytes(4)

    def send_byte_by_byte(self, data: bytes) -> Wire:
        """Sends one byte at a time, giving the server time to see it alone."""
        for i in range(len(data)):
            self.sock.sendall(data[i : i + 1])
            time.sleep(0.001)
        return self

    def half_close(self) -> Wire:
        """No more bytes from this side."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def read_to_close(self) -> bytes:
        """All that comes until the server closes. A reset is an error: it may have eaten bytes."""
        while self._receive():
            pass
        return self._taken(len(self._buffer))

    def response(self, method: str = "GET") -> Response:
        """The next final response, with the 1xx responses before it in `hints`."""
        hints = []
        while True:
            head = self.read_until(b"\r\n\r\n")
            response = Response(head, hints=hints)
            if response.status >= 200 or response.status == 101:
                break
            hints.append(head)
        if method == "HEAD" or response.status in (101, 204, 304):
            return response
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            self._read_chunks(response)
        elif (length := response.header("Content-Length")) is not None:
            response.body = self._exactly(int(length))
        else:
            response.body = self.read_to_close()
        return response

    def is_closed(self) -> bool:
        """Waits for the server's next move: True if it closed, False if it sent a byte."""
        return not self._buffer and not self._receive()

    def _read_chunks(self, response: Response) -> None:
        while True:
            size = int(self.read_until(b"\r\n")[:-2].split(b";")[0], 16)
            if size == 0:
                break
            response.chunks.append(self._exactly(size))
            end = self._exactly(2)
            assert end == b"\r\n", f"chunk ends with {end!r}"
        response.body = b"".join(response.chunks)
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            response.trailers += line

    def read_until(self, mark: bytes) -> bytes:
        """Bytes up to and with `mark`."""
        return self._taken(len(self.peek_until(mark)))

    def peek_until(self, mark: bytes) -> bytes:
        """The same, to be read again."""
        while mark not in self._buffer:
            if not self._receive():
                raise Closed(bytes(self._buffer))
        return bytes(self._buffer[: self._buffer.index(mark) + len(mark)])

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._receive():
                raise Closed(bytes(self._buffer))
        return self._taken(count)

    def _taken(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _receive(self) -> bool:
        data = self.sock.recv(262144)
        self._buffer += data
        self.received += data
        return bool(data)


def exchange(address: Address, raw: bytes) -> bytes:
    """Sends `raw` on a new connection and reads all that comes until the server closes it.

    A server that refuses a request may close while we still send: what it said is what counts.
    """
    with Wire(address) as wire:
        with contextlib.suppress(BrokenPipeError):
            wire.send(raw)
        with contextlib.suppress(Closed):
            end_if_kept(wire, wire.response(method_of(raw)))
        wire.read_to_close()
        return bytes(wire.received)


def ask(address: Address, raw: bytes) -> Response:
    """Sends `raw` on a new connection and reads one response, which must be followed by a close."""
    with Wire(address) as wire:
        response = wire.send(raw).response(method_of(raw))
        end_if_kept(wire, response)
        assert wire.is_closed(), "the server sent bytes after the response"
        return response


def end_if_kept(wire: Wire, response: Response) -> None:
    """No further request will come. After `Connection: close` it is the server that must end it."""
    if response.header("Connection") == "keep-alive":
        wire.half_close()


def method_of(raw: bytes) -> str:
    return raw.lstrip().split(b" ", 1)[0].decode("latin-1")


def get(path: str = "/", *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A bodyless request with a Host field and the given further field lines."""
    lines = [f"{method} {path} HTTP/{version}", "Host: example.test", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    """A request with a Content-Length body."""
    return get(path, f"Content-Length: {len(body)}", *headers, method=method) + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A chunked body of `pieces`."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return body + b"0\r\n" + trailers + b"\r\n"
