"""A small client of our own, for what wrk can not do: check an answer, send an exact number."""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass

from loadbench.errors import BenchError
from loadbench.scenarios import Scenario

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Answer:
    """One response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    size: int


def parse_answer(received: bytes) -> Answer | None:
    """The first complete response in `received`, or None when more bytes are needed.

    Raises BenchError for a response without Content-Length: every app here sends one.
    """
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    if "content-length" not in headers:
        raise BenchError(f"response without Content-Length: {head!r}")
    length = int(headers["content-length"])
    if len(rest) < length:
        return None
    size = len(head) + len(separator) + length
    return Answer(int(status_line.split()[1]), headers, rest[:length], size)


def read_answer(sock: socket.socket) -> Answer:
    """Reads one response; raises BenchError when the server closes in the middle of it."""
    received = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            raise BenchError(f"connection closed after {received!r}")
        received += piece
        answer = parse_answer(received)
        if answer is not None:
            return answer


def check_answer(answer: Answer, scenario: Scenario) -> None:
    """Raises BenchError unless the answer is the one the scenario's app gives."""
    if answer.status != 200 or answer.body != scenario.body:
        raise BenchError(f"{scenario.name}: unexpected answer {answer}")


def verify(port: int, scenario: Scenario) -> bool:
    """Checks status and body once; returns whether the server kept the connection.

    A server that announces keep-alive must answer a second request on that connection; one that
    was asked to close, or says so, must close. Raises BenchError otherwise.
    """
    request = scenario.request(port)
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as sock:
        sock.sendall(request)
        answer = read_answer(sock)
        check_answer(answer, scenario)
        says_close = answer.headers.get("connection", "").lower() == "close"
        if says_close:
            # A lingering close waits for our side to end before it closes its own.
            sock.shutdown(socket.SHUT_WR)
            if sock.recv(1):
                raise BenchError(f"{scenario.name}: bytes after Connection: close")
            return False
        if not scenario.keep_alive:
            raise BenchError(f"{scenario.name}: Connection: close asked for, got {answer.headers}")
        sock.sendall(request)
        check_answer(read_answer(sock), scenario)
        return True


class ClosedLoop:
    """`width` clients, each sending its next request when the answer to the last one is there.

    The same shape of load as wrk's, with an exact number of requests. With a kept-alive server
    the connections are opened and used once before the counted requests.
    """

    def __init__(self, port: int, scenario: Scenario, width: int) -> None:
        self._address = ("127.0.0.1", port)
        self._scenario = scenario
        self._request = scenario.request(port)
        self._width = width
        self._epoll = select.epoll()
        self._kept: list[socket.socket] = []

    def __enter__(self) -> ClosedLoop:
        if self._scenario.keep_alive:
            self._kept = self._open_kept()
        return self

    def __exit__(self, *_exc: object) -> None:
        for sock in self._kept:
            sock.close()
        self._epoll.close()

    def send(self, total: int) -> None:
        """Sends exactly `total` requests and reads and checks as many answers."""
        busy: dict[int, tuple[socket.socket, bytes]] = {}
        sent = 0
        idle = self._kept
        self._kept = []
        while sent < min(total, self._width):
            sock = idle.pop() if idle else self._connect()
            self._start(sock, busy)
            sent += 1
        while busy:
            ready = self._epoll.poll(_TIMEOUT_S)
            if not ready:
                raise BenchError(f"no answer to {len(busy)} requests in {_TIMEOUT_S} s")
            for fd, _ in ready:
                done = self._advance(fd, busy)
                if done is None:
                    continue
                is_open = done.fileno() != -1
                if sent < total:
                    self._start(done if is_open else self._connect(), busy)
                    sent += 1
                elif is_open:
                    idle.append(done)
        self._kept = idle

    def _open_kept(self) -> list[socket.socket]:
        kept = []
        for _ in range(self._width):
            sock = self._connect()
            sock.sendall(self._request)
            answer = read_answer(sock)
            check_answer(answer, self._scenario)
            if self._closes(answer):
                sock.close()
            else:
                kept.append(sock)
        return kept

    def _connect(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=_TIMEOUT_S)

    def _start(self, sock: socket.socket, busy: dict[int, tuple[socket.socket, bytes]]) -> None:
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        busy[sock.fileno()] = (sock, b"")
        sock.sendall(self._request)

    def _advance(
        self, fd: int, busy: dict[int, tuple[socket.socket, bytes]]
    ) -> socket.socket | None:
        """Reads once; the socket when its answer is complete (closed if it can't be used again)."""
        sock, received = busy[fd]
        piece = sock.recv(65536)
        if not piece:
            raise BenchError(f"{self._scenario.name}: connection closed after {received!r}")
        received += piece
        answer = parse_answer(received)
        if answer is None:
            busy[fd] = (sock, received)
            return None
        check_answer(answer, self._scenario)
        del busy[fd]
        self._epoll.unregister(fd)
        if self._closes(answer):
            sock.close()
        return sock

    def _closes(self, answer: Answer) -> bool:
        says_close = answer.headers.get("connection", "").lower() == "close"
        return says_close or not self._scenario.keep_alive
