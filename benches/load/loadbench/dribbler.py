"""Clients that send their heads byte by byte, as a program of its own beside the harness.

usage: python -m loadbench.dribbler PORT CLIENTS SECONDS_PER_BYTE

Says `ready` when every client has connected and sent some of its head, goes on until its standard
input ends, then says what it did, as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from loadbench.answers import TIMEOUT_S, parse_answer
from loadbench.scenarios import HELLO

# About 70 bytes: at a byte in 0.1 s a client needs 7 s for its head.
_FILLER = "X-Slow: one-byte-at-a-time-and-never-in-a-hurry\r\n"


class Dribbler:
    """One client: a byte of its head at each turn, then the answer, then anew."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{_FILLER}\r\n".encode()
        self.bytes = self.answered = self.dropped = self.wrong = 0
        self._sock = self._opened()

    def turn(self) -> None:
        """Sends the next byte, or looks whether the answer has come."""
        try:
            if self._sent < len(self._head):
                self._sock.send(self._head[self._sent : self._sent + 1])
                self._sent += 1
                self.bytes += 1
            elif select.select([self._sock], [], [], 0)[0]:
                self._read()
        except OSError:
            self.dropped += 1
            self._again()

    def close(self) -> None:
        """Ends in the middle of whatever it does."""
        self._sock.close()

    def _again(self) -> None:
        self._sock.close()
        self._sock = self._opened()

    def _opened(self) -> socket.socket:
        self._sent, self._received = 0, b""
        sock = socket.create_connection(self._address, timeout=TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _read(self) -> None:
        piece = self._sock.recv(65536)
        self._received += piece
        answer = parse_answer(self._received, ended=not piece)
        if answer is None and piece:
            return
        if answer is None:
            self.dropped += 1
        elif (answer.status, answer.body) == (200, HELLO):
            self.answered += 1
        else:
            self.wrong += 1
        self._again()


def main() -> None:
    """The program."""
    port, count, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # Each starts somewhere else in its head, so that they do not all end theirs in one moment.
    crowd = [Dribbler(port) for _ in range(count)]
    for number, one in enumerate(crowd):
        for _ in range(1 + number % 40):
            one.turn()
    print("ready", flush=True)
    told = select.poll()
    told.register(sys.stdin, select.POLLIN | select.POLLHUP)
    step, due, number = pause / count, time.monotonic(), 0
    while not told.poll(max(0.0, (due - time.monotonic()) * 1e3)):
        # Turns that are overdue follow at once: the pace is kept on a loaded machine too.
        while due <= time.monotonic():
            crowd[number % count].turn()
            number += 1
            due += step
    for one in crowd:
        one.close()
    names = ("bytes", "answered", "dropped", "wrong")
    print(json.dumps({name: sum(getattr(one, name) for one in crowd) for name in names}))


if __name__ == "__main__":
    main()
