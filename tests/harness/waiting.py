"""Requests that wait for a thread, and what became of them. For servers that run `ledger:app`."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .shift import Shift
from .wait import until
from .wire import Response, Wire, get


@dataclass
class Waiting:
    """A request that was sent and not read about yet."""

    name: str
    wire: Wire

    def is_answered(self) -> bool:
        return bool(select.select([self.wire.sock], [], [], 0)[0])


def ask_many(shift: Shift, count: int, *headers: str) -> list[Waiting]:
    """So many requests, each on a connection of its own."""
    asked = []
    for _ in range(count):
        name = shift.new_id("waiting")
        asked.append(
            Waiting(name, Wire(shift.address).send(shift.get("/hello", *headers, id=name)))
        )
    return asked


@contextlib.contextmanager
def all_occupied(shift: Shift) -> Iterator[None]:
    """No thread of any worker is free meanwhile."""
    with shift.occupied(*shift.workers):
        yield


def refused(shift: Shift, asked: Sequence[Waiting], count: int) -> list[Waiting]:
    """Waits until at least `count` of them are answered, and returns those."""

    def answered() -> list[Waiting]:
        return [one for one in asked if one.is_answered()]

    until(lambda: len(answered()) >= count, f"{count} answers", show=shift.server.log)
    return answered()


def answer(one: Waiting) -> Response:
    """Its answer, after which it is over."""
    with one.wire as wire:
        return wire.response()


def wait_until_read(shift: Shift) -> None:
    """Waits until a worker has read what was sent to it before: somebody who came later is told to
    go on. Needs a server of one worker that lets people in, or that has let this one in."""
    head = get("/hello", "Expect: 100-continue", "Content-Length: 1", method="POST")
    with Wire(shift.address) as after:
        assert after.send(head).read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")


def reset(wire: Wire) -> None:
    """Ends the connection with an RST (TCP); on a unix socket it just closes."""
    if wire.sock.family == socket.AF_INET:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
