"""Many connections at once that do nothing, or less than they should."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from loadbench.answers import TIMEOUT_S, Answer, check_answer, parse_answer, read_answer
from loadbench.errors import BenchError
from loadbench.scenarios import Scenario

# Sent together, so that a listener's backlog of 2,048 is never full.
_BATCH = 256


class Crowd:
    """Context manager around connections to one server; all are closed at its end."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._members: list[socket.socket] = []

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_exc: object) -> None:
        for sock in self._members:
            sock.close()

    def join(self, count: int, request: bytes, *, reads: bool = True) -> None:
        """Opens `count` connections and sends `request`, or what it is of one, on each.

        Those that will not read offer the smallest window there is, and segments as they are on
        an Ethernet: with the 64 KiB ones of the loopback the kernel would take 2.5 MiB of an
        answer, and none of it would stay with the server.
        """
        for _ in range(count):
            sock = socket.socket()
            self._members.append(sock)
            if not reads:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            sock.settimeout(TIMEOUT_S)
            sock.connect(self._address)
            sock.sendall(request)

    def join_idle(self, count: int, scenario: Scenario) -> None:
        """Opens `count` connections, each kept alive after one request that was answered.

        Raises BenchError when one of them is not.
        """
        for start in range(0, count, _BATCH):
            batch = min(_BATCH, count - start)
            self.join(batch, scenario.request(self._address[1]))
            answered = _answered(self._members[-batch:], scenario)
            if answered != batch:
                raise BenchError(f"{answered} of {batch} new connections were answered")

    def read(self, count: int) -> list[Answer]:
        """The answers of the first `count`, which have sent a whole request."""
        return [read_answer(sock) for sock in self._members[:count]]

    def ask(self, scenario: Scenario) -> int:
        """Sends one more request on each connection; how many got the right answer."""
        answered = 0
        for start in range(0, len(self._members), _BATCH):
            batch = self._members[start : start + _BATCH]
            for sock in batch:
                try:
                    sock.sendall(scenario.request(self._address[1]))
                except OSError:
                    continue  # the server has closed it: it will not be among the answered
            answered += _answered(batch, scenario)
        return answered


def _answered(members: list[socket.socket], scenario: Scenario) -> int:
    """How many of `members` get a right answer before nothing comes for some seconds."""
    waiting = {sock.fileno(): (sock, b"") for sock in members}
    answered = 0
    poller = select.poll()
    for fd in waiting:
        poller.register(fd, select.POLLIN)
    while waiting:
        ready = poller.poll(TIMEOUT_S * 1e3)
        if not ready:
            break
        for fd, _ in ready:
            sock, received = waiting[fd]
            try:
                piece = sock.recv(65536)
            except OSError:
                piece = b""  # reset: counts as not answered
            received += piece
            answer = parse_answer(received, ended=not piece)
            if answer is None and piece:
                waiting[fd] = (sock, received)
                continue
            poller.unregister(fd)
            del waiting[fd]
            if answer is not None:
                check_answer(answer, scenario)
                answered += 1
    return answered


def settled(count: Callable[[], int], wanted: int, limit_s: float = 10.0) -> int:
    """`count()` as soon as it reaches `wanted`, or what it has come to when it stops growing."""
    end = time.monotonic() + limit_s
    earlier, now = -1, count()
    while now < wanted and now != earlier and time.monotonic() < end:
        time.sleep(1.0)
        earlier, now = now, count()
    return now
