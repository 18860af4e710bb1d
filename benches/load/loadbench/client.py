"""A client of our own that sends an exact number of requests, which wrk can not."""

from __future__ import annotations

import select
import socket

from loadbench.answers import (
    TIMEOUT_S,
    check_answer,
    connect,
    parse_answer,
    read_answer,
    receive,
)
from loadbench.errors import BenchError
from loadbench.scenarios import Scenario


class ClosedLoop:
    """`width` clients, each sending its next request when the answer to the last one is there.

    The same shape of load as wrk's, with an exact number of requests. With a kept-alive server
    the connections are opened and used once before the counted requests.
    """

    def __init__(self, port: int, scenario: Scenario, width: int) -> None:
        self._port = port
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
            ready = self._epoll.poll(TIMEOUT_S)
            if not ready:
                raise BenchError(f"no answer to {len(busy)} requests in {TIMEOUT_S} s")
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
            if answer.closes(self._scenario):
                sock.close()
            else:
                kept.append(sock)
        return kept

    def _connect(self) -> socket.socket:
        return connect(self._port, self._scenario)

    def _start(self, sock: socket.socket, busy: dict[int, tuple[socket.socket, bytes]]) -> None:
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        busy[sock.fileno()] = (sock, b"")
        sock.sendall(self._request)

    def _advance(
        self, fd: int, busy: dict[int, tuple[socket.socket, bytes]]
    ) -> socket.socket | None:
        """Reads once; the socket when its answer is complete (closed if it can't be used again)."""
        sock, received = busy[fd]
        piece = receive(sock)
        received += piece
        answer = parse_answer(received, ended=not piece)
        if answer is None and not piece:
            said = received[:500]
            raise BenchError(f"{self._scenario.name}: connection closed after {said!r}")
        if answer is None:
            busy[fd] = (sock, received)
            return None
        check_answer(answer, self._scenario)
        del busy[fd]
        self._epoll.unregister(fd)
        if answer.closes(self._scenario):
            sock.close()
        return sock
