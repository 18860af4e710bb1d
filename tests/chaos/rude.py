"""Clients that do not behave. What becomes of their requests nobody can know, but that nothing
else may come of it."""

from __future__ import annotations

import contextlib
import socket
import struct

from chaos.clients import Client
from chaos.talkers import Talker
from harness.wire import Wire

RESET = struct.pack("ii", 1, 0)


class Rude(Talker):
    """Connects, does something, leaves."""

    behaves = False

    def turn(self) -> None:
        with contextlib.suppress(OSError), Wire(self.address, timeout=15) as wire:
            self.bother(wire)
        self.pause(0.1)

    def bother(self, wire: Wire) -> None:
        raise NotImplementedError

    def part(self, wire: Wire) -> None:
        """Sends a request, and now and then another behind it, the last one not to its end."""
        requests = [self.ask() for _ in range(self.dice.choice([1, 1, 2, 3]))]
        raws = [self.raw(request) for request in requests]
        whole = sum(map(len, raws[:-1]))
        wire.send(b"".join(raws)[: whole + self.dice.randrange(len(raws[-1]) + 1)])
        for request in requests:
            self.book.close(request)


class Resetter(Rude):
    """Resets the connection, wherever its request is then."""

    def bother(self, wire: Wire) -> None:
        self.part(wire)
        self.pause(0.05)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


class Staller(Rude):
    """Says no more, in the middle of its head or its body, until it is shown out or loses
    patience."""

    def bother(self, wire: Wire) -> None:
        self.part(wire)
        wire.sock.settimeout(self.dice.choice([0.5, 2, 2, 12]))
        wire.read_to_close()


class Hoarder(Rude):
    """Asks for much and reads nothing of it."""

    def bother(self, wire: Wire) -> None:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(self.dice.randrange(1, 4)):
            request = self.ask()
            request.path, request.method, request.body = "/bytes/4000000", "GET", b""
            wire.send(self.raw(request))
            self.book.close(request)
        self.pause(1)


class Babbler(Rude):
    """Speaks something that is not HTTP."""

    rubbish = (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nA b: c\r\n\r\n")

    def bother(self, wire: Wire) -> None:
        self.book.rubbish += 1
        wire.send(self.dice.choice(self.rubbish))
        wire.read_to_close()


class Flooder(Client):
    """Hundreds of connections on which nothing is said."""

    behaves = False

    def turn(self) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for _ in range(self.dice.choice([50, 200, 400])):
                stack.enter_context(Wire(self.address, timeout=10))
            self.pause(1.5)
        self.gate.over.wait(self.dice.uniform(0, 3))
