"""Records that were changed on their way, after the handshake: none of them is believed, and no
worker ends. (Changed handshakes: `test_stalls.py`. The engine alone: the fuzz target `records`.)"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
from collections.abc import Callable

import pytest

from harness.certificates import certificates
from harness.server import Kitchen, Server
from harness.tls import TLSStream
from harness.wire import ask, get, post

pytestmark = pytest.mark.ours("waits for no client")

#: Longest content of a record in ciphertext (RFC 8446 section 5.2).
MOST = 16384 + 256
ROUNDS = 120

Mutation = Callable[[list[bytes], int, random.Random], list[bytes]]


@pytest.fixture(scope="module")
def server(kitchen: Kitchen) -> Server:
    return kitchen(client_header_timeout="5s", client_body_timeout="5s")


def flipped(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    data = bytearray(records[at])
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return [*records[:at], bytes(data), *records[at + 1 :]]


def retyped(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    kind = chance.choice([0, 20, 21, 22, 24, 25, 255])
    return [*records[:at], bytes([kind]) + records[at][1:], *records[at + 1 :]]


def resized(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    """Another length than it has: oversized, empty, one off."""
    length = len(records[at]) - 5
    claimed = chance.choice([0xFFFF, MOST, MOST + 1, 0, length - 1, length + 1])
    head = records[at][:3] + claimed.to_bytes(2, "big")
    return [*records[:at], head + records[at][5:], *records[at + 1 :]]


def shortened(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    cut = chance.randrange(1, len(records[at]))
    return [*records[:at], records[at][:-cut], *records[at + 1 :]]


def lost(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    return [*records[:at], *records[at + 1 :]]


def repeated(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    return [*records[: at + 1], *records[at:]]


def swapped(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    other = (at + 1) % len(records)
    changed = list(records)
    changed[at], changed[other] = changed[other], changed[at]
    return changed


def joined_by_strangers(records: list[bytes], at: int, chance: random.Random) -> list[bytes]:
    """Records that nobody has encrypted: an alert, a handshake message, noise, plain HTTP."""
    stranger = chance.choice(
        [
            b"\x15\x03\x03\x00\x02\x01\x00",
            b"\x16\x03\x03\x00\x04\x01\x00\x00\x00",
            b"\x17\x03\x03\x00\x20" + chance.randbytes(32),
            b"\x17\x03\x03\x00\x00",
            get("/hello"),
        ]
    )
    return [*records[:at], stranger, *records[at:]]


MUTATIONS: list[Mutation] = [
    *(flipped, retyped, resized, shortened, lost),
    *(repeated, swapped, joined_by_strangers),
]


def answer(stream: TLSStream) -> bytes:
    """What the server says until it ends, as far as it can be understood."""
    received = b""
    with contextlib.suppress(ssl.SSLError, ConnectionResetError):
        while data := stream.recv(65536):
            received += data
    return received


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_mutated_records_end_no_worker(server: Server, version: str) -> None:
    chance = random.Random(20261121)
    context = certificates().client_context(version=ssl.TLSVersion[version])
    workers = server.workers()
    believed = 0
    for turn in range(ROUNDS):
        mutate = MUTATIONS[turn % len(MUTATIONS)]
        body = chance.randbytes(chance.choice([10, 3000, 40_000]))
        request = post("/echo", body, "Connection: close")
        with socket.create_connection(server.address, timeout=20) as raw:
            stream = TLSStream(raw, context)
            stream.handshake()
            pieces = [request[:60], request[60:-5], request[-5:]]
            records = [stream.encrypt(piece) for piece in pieces]
            changed = mutate(records, chance.randrange(len(records)), chance)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for record in changed:
                    raw.sendall(record)
                raw.shutdown(socket.SHUT_WR)
            said = answer(stream)
        if b" 200 OK\r\n" in said:
            # What was added came behind the request.
            assert changed[: len(records)] == records or b"".join(changed).startswith(
                b"".join(records)
            ), mutate.__name__
            assert said.endswith(b"\r\n\r\n" + body), mutate.__name__
            believed += 1
        else:
            assert b"\r\n\r\n" + body not in said
    assert believed < ROUNDS // 4
    assert ask(server.address, get("/hello")).body == b"Hello, World!"
    assert server.workers() == workers
    assert "Traceback" not in server.log() and "panic" not in server.log()
