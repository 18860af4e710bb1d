"""Responses as they come over the wire, and whether they are the right ones."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from loadbench.errors import BenchError
from loadbench.scenarios import Scenario
from loadbench.tls import client_context

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes
    size: int
    """Bytes on the wire, head and framing included."""

    @property
    def has_length(self) -> bool:
        """Whether Content-Length framed it, so that each one like it has the same size."""
        return "content-length" in self.headers

    def closes(self, scenario: Scenario) -> bool:
        """Whether the connection ends with it."""
        framed = self.has_length or "transfer-encoding" in self.headers
        says_close = self.headers.get("connection", "").lower() == "close"
        return says_close or not framed or not scenario.keep_alive


def connect(port: int, scenario: Scenario, timeout: float = TIMEOUT_S) -> socket.socket:
    """A connection to the server as `scenario` wants it: plain, or after a TLS handshake."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    if not scenario.tls:
        return sock
    try:
        return client_context().wrap_socket(sock)
    except BaseException:
        sock.close()
        raise


def receive(sock: socket.socket) -> bytes:
    """What is there to read, b"" at the end. Of TLS all that has been decrypted: an event that
    is waited for tells of the socket, not of what OpenSSL keeps.
    """
    piece = sock.recv(262144)
    while isinstance(sock, ssl.SSLSocket) and sock.pending():
        piece += sock.recv(262144)
    return piece


def parse_answer(received: bytes, *, ended: bool = False) -> Answer | None:
    """The first complete response in `received`, or None when more bytes are needed.

    `ended` says that the server has closed: a response without a length is complete then.
    """
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    status = int(status_line.split()[1])
    before = len(head) + len(separator)
    if "content-length" in headers:
        length = int(headers["content-length"])
        if len(rest) < length:
            return None
        return Answer(status, headers, rest[:length], before + length)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        decoded = _decode_chunks(rest)
        return decoded and Answer(status, headers, decoded[0], before + decoded[1])
    return Answer(status, headers, rest, len(received)) if ended else None


def read_answer(sock: socket.socket) -> Answer:
    """Reads one response; raises BenchError when the server closes in the middle of it."""
    received = b""
    while True:
        piece = receive(sock)
        received += piece
        answer = parse_answer(received, ended=not piece)
        if answer is not None:
            return answer
        if not piece:
            raise BenchError(f"connection closed after {received[:500]!r}")


def check_answer(answer: Answer, scenario: Scenario) -> None:
    """Raises BenchError unless the answer is the one the scenario's app gives."""
    if answer.status != 200 or scenario.body not in (None, answer.body):
        said = f"{answer.status} {answer.headers} {answer.body[:200]!r}"
        raise BenchError(f"{scenario.name}: unexpected answer {said}")


def verify(port: int, scenario: Scenario) -> tuple[Answer, bool]:
    """Checks status and body once; returns the answer, and whether the connection was kept.

    A server that announces keep-alive must answer a second request on that connection; one that
    was asked to close, or says so, must close. Raises BenchError otherwise.
    """
    request = scenario.request(port)
    with connect(port, scenario) as sock:
        sock.sendall(request)
        answer = read_answer(sock)
        check_answer(answer, scenario)
        says_close = answer.headers.get("connection", "").lower() == "close"
        if says_close:
            # A lingering close waits for our side to end before it closes its own. In TLS an
            # alert says that nothing follows, and a client that ended would not see it.
            if not scenario.tls:
                sock.shutdown(socket.SHUT_WR)
            if sock.recv(1):
                raise BenchError(f"{scenario.name}: bytes after Connection: close")
            return answer, False
        if answer.closes(scenario):
            raise BenchError(f"{scenario.name}: kept or closed? got {answer.headers}")
        sock.sendall(request)
        check_answer(read_answer(sock), scenario)
        return answer, True


def _decode_chunks(rest: bytes) -> tuple[bytes, int] | None:
    """Body and length on the wire of a complete chunked body without trailers, or None."""
    body: list[bytes] = []
    at = 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(rest[at:end], 16)
        at = end + 2 + size + 2
        if len(rest) < at:
            return None
        if size == 0:
            return b"".join(body), at
        body.append(rest[end + 2 : end + 2 + size])
