"""Bodies of a kilobyte to a gigabyte: CPU per request, and the most memory the server had."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

from loadbench import procfs
from loadbench.answers import read_answer
from loadbench.curves.point import BODIES, Point
from loadbench.errors import BenchError
from loadbench.peer import Peer
from loadbench.plan import Plan
from loadbench.scenarios import HELLO_KEPT
from loadbench.server import Server

_APP = replace(HELLO_KEPT, app="bodies:app")
_TIMEOUT_S = 60.0
_PIECE = memoryview(b"u" * (256 << 10))
_BUFFER = 1 << 20


def body_curve(peer: Peer, plan: Plan) -> Iterator[Point]:
    """Points of `upload`, `generate` and `file` for each of `plan.curve_bodies`.

    One client on one connection asks again and again for `plan.curve_seconds`, at least once.
    """
    with Server(peer, plan.server_core, _APP, threads=plan.threads) as server:
        for curve in BODIES:
            for size in plan.curve_bodies:
                yield _measure(server, plan, curve, size)


def _measure(server: Server, plan: Plan, curve: str, size: int) -> Point:
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=_TIMEOUT_S) as sock:
        # A piece of a body must not wait for the server to acknowledge the head.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A small one first: the connection's own cost, threads and buffers are not the body's.
        # And a file that nobody has read yet is not in the kernel's memory.
        _exchange(sock, curve, size if curve == "file" else min(size, 1024))
        pids, serving = server.pids, server.serving_pids
        procfs.reset_peak(serving)
        began, before = time.monotonic(), procfs.cpu_time(pids)
        requests = 0
        while not requests or time.monotonic() - began < plan.curve_seconds:
            _exchange(sock, curve, size)
            requests += 1
        used = procfs.cpu_time(pids) - before
        seconds = time.monotonic() - began
    if server.pids != pids:
        raise BenchError(f"{server.name}: processes changed during {curve} of {size} bytes")
    return Point(
        curve=curve,
        server=server.name,
        x=size,
        requests=requests,
        seconds=seconds,
        user_s=used.user,
        system_s=used.system,
        p50_ms=None,
        p99_ms=None,
        peak_bytes=procfs.peak_bytes(serving),
    )


def _exchange(sock: socket.socket, curve: str, size: int) -> None:
    if curve == "upload":
        _upload(sock, size)
    else:
        _download(sock, f"/{curve}/{size}", size)


def _upload(sock: socket.socket, size: int) -> None:
    sock.sendall(_head("POST", "/upload", f"Content-Length: {size}\r\n"))
    left = size
    while left:
        piece = _PIECE[: min(left, len(_PIECE))]
        sock.sendall(piece)
        left -= len(piece)
    answer = read_answer(sock)
    if (answer.status, answer.body) != (200, str(size).encode()):
        raise BenchError(f"upload of {size} bytes: {answer.status} {answer.body[:200]!r}")


def _download(sock: socket.socket, path: str, size: int) -> None:
    sock.sendall(_head("GET", path))
    buffer = bytearray(_BUFFER)
    received = sock.recv_into(buffer)
    while (end := buffer.find(b"\r\n\r\n", 0, received)) < 0:
        more = sock.recv_into(memoryview(buffer)[received:])
        if not more:
            raise BenchError(f"{path}: closed after {bytes(buffer[:received])!r}")
        received += more
    head = bytes(buffer[:end]).decode("latin-1").lower()
    if " 200 " not in head or f"content-length: {size}" not in head:
        raise BenchError(f"{path}: {head}")
    left = size - (received - end - 4)
    while left > 0:
        more = sock.recv_into(buffer, min(left, _BUFFER))
        if not more:
            raise BenchError(f"{path}: closed, {left} bytes are missing")
        left -= more
    if left:
        raise BenchError(f"{path}: {-left} bytes too many")


def _head(method: str, path: str, fields: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n".encode()
