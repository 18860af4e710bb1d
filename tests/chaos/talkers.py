"""Clients of ours that behave, each in a manner of its own, on raw sockets."""

from __future__ import annotations

import contextlib
import socket

from chaos.clients import HANG, Client, Request
from harness.traffic import has_ended
from harness.wire import Closed, Wire, chunked, get


class Talker(Client):
    """Requests one after the other, for as long as the connection goes on."""

    most = 8
    """Requests on a connection."""

    def turn(self) -> None:
        first = self.ask()
        try:
            wire = Wire(self.address, timeout=HANG)
        except OSError as error:
            first.outcome, first.what = "refused", repr(error)
            self.book.close(first)
            self.pause(0.05)
            return
        with wire:
            self.converse(wire, first)

    def converse(self, wire: Wire, request: Request) -> None:
        for before in range(self.most):
            if before:
                self.pause(0.05)
                if not self.gate.is_open or has_ended(wire):
                    return
                request = self.ask()
                request.before = before
            if not self.exchange(wire, [request]):
                return

    def raw(self, request: Request) -> bytes:
        """The bytes of a request."""
        if request.method == "GET":
            return get(request.path, request.field)
        length = f"Content-Length: {len(request.body)}"
        return get(request.path, request.field, length, method="POST") + request.body

    def send(self, wire: Wire, raw: bytes) -> None:
        wire.send(raw)

    def exchange(self, wire: Wire, requests: list[Request]) -> bool:
        """Sends all, reads all answers; whether the connection goes on."""
        wire.received.clear()
        try:
            # The answer, if there is one, counts, not that a request could not be sent whole.
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                self.send(wire, b"".join(self.raw(request) for request in requests))
            return self._read(wire, requests)
        finally:
            for request in requests:
                self.book.close(request)

    def _read(self, wire: Wire, requests: list[Request]) -> bool:
        for at, request in enumerate(requests):
            try:
                response = wire.response(request.method)
            except TimeoutError:
                request.outcome = "hang"
                return False
            except (Closed, ConnectionResetError, BrokenPipeError) as error:
                request.outcome = "cut" if wire.received else "silent"
                request.what = repr(error)[:100]
                _unsaid(requests[at + 1 :])
                return False
            request.worker = int(response.header("X-Worker") or 0)
            right = request.judge(response.status, response.body)
            wire.received.clear()
            if not right or response.header("Connection") == "close":
                # Those behind it were never seen: the server has said so.
                _unsaid(requests[at + 1 :])
                return False
        return True


class Pipeliner(Talker):
    """Several at once. Small ones: a server may stop to read while answers wait."""

    most = 3

    def converse(self, wire: Wire, request: Request) -> None:
        requests = [request]
        while len(requests) < 5:
            requests.append(self.ask())
        small = [it for it in requests if len(it.body) < 60_000]
        for other in requests:
            if other not in small:
                other.outcome = "left"
                self.book.close(other)
        self.exchange(wire, small)


class Dribbler(Talker):
    """In pieces, with pauses."""

    most = 2

    def send(self, wire: Wire, raw: bytes) -> None:
        cuts = sorted(self.dice.randrange(len(raw) + 1) for _ in range(4))
        for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            wire.send(raw[begin:end])
            self.pause(0.03)


class Chunker(Talker):
    """Bodies in chunks, whose length nobody knows before."""

    def raw(self, request: Request) -> bytes:
        if request.method == "GET":
            return super().raw(request)
        head = get(request.path, request.field, "Transfer-Encoding: chunked", method="POST")
        cut = self.dice.randrange(1, len(request.body))
        return head + chunked(request.body[:cut], request.body[cut:])


class Closer(Talker):
    """A connection for each request, and says so; half of them end their side at once."""

    most = 1

    def raw(self, request: Request) -> bytes:
        raw = super().raw(request)
        return raw.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def send(self, wire: Wire, raw: bytes) -> None:
        wire.send(raw)
        if self.dice.random() < 0.5:
            # It has been reset meanwhile, perhaps.
            with contextlib.suppress(OSError):
                wire.half_close()


class Slow(Talker):
    """Takes its answers slowly, into a small buffer."""

    most = 2

    def exchange(self, wire: Wire, requests: list[Request]) -> bool:
        with contextlib.suppress(OSError):
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.pause(0.3)
        return super().exchange(wire, requests)


def _unsaid(requests: list[Request]) -> None:
    for request in requests:
        request.outcome = "left"
