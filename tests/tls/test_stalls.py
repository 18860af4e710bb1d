"""Clients that stall, send garbage, or leave without a goodbye: none holds anybody up, and none
ends a worker."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
from collections.abc import Iterator

import pytest

from harness.certificates import Certificates
from harness.mode import Mode
from harness.server import Kitchen, Server
from harness.tls import TLSStream
from harness.wire import Wire, ask, get, post

CROWD = 8
HELLO = b"Hello, World!"

pytestmark = pytest.mark.ours("waits for no client")


@pytest.fixture
def server(kitchen: Kitchen) -> Server:
    return kitchen()


@contextlib.contextmanager
def plain(server: Server) -> Iterator[socket.socket]:
    """A connection that says nothing by itself."""
    with socket.create_connection(server.address, timeout=20) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield raw


@contextlib.contextmanager
def unchanged(server: Server) -> Iterator[None]:
    """The workers are the same afterwards, and serve."""
    workers = server.workers()
    yield
    assert ask(server.address, get("/hello")).body == HELLO
    assert server.workers() == workers
    assert "Traceback" not in server.log() and "panic" not in server.log()


def ends(raw: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := raw.recv(65536):
            received += data
    return received


def test_stalled_clients_hold_nobody(server: Server) -> None:
    """More of each kind than there are threads; all are still there when the last is served."""
    with unchanged(server), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(plain(server)) for _ in range(CROWD)]
        greeting = [stack.enter_context(plain(server)) for _ in range(CROWD)]
        for raw in greeting:
            raw.sendall(TLSStream(raw).hello()[:-1])
        halves = [stack.enter_context(Wire(server.address)) for _ in range(CROWD)]
        rests = []
        for wire in halves:
            wire.sock.handshake()
            record = wire.sock.encrypt(get("/hello"))
            wire.sock.raw.sendall(record[:-7])
            rests.append(record[-7:])
        for _ in range(3):
            assert ask(server.address, get("/hello")).body == HELLO
        for wire, rest in zip(halves, rests, strict=True):
            wire.sock.raw.sendall(rest)
            assert wire.response().body == HELLO
        for raw in silent:
            stream = TLSStream(raw)
            stream.sendall(get("/hello"))
            assert HELLO in stream.recv(65536)


def test_a_handshake_has_its_limit(kitchen: Kitchen) -> None:
    server = kitchen(client_header_timeout="300ms")
    with unchanged(server), plain(server) as silent, plain(server) as greeting:
        greeting.sendall(TLSStream(greeting).hello()[:50])
        assert ends(greeting) == b""
        assert ends(silent) == b""
        log = server.wait_log("Client timed out: ip=127.0.0.1 in the TLS handshake")
        # Whoever has said nothing is not worth a line.
        assert log.count("Client timed out") == 1


def test_a_request_head_has_its_limit(kitchen: Kitchen) -> None:
    server = kitchen(client_header_timeout="250ms")
    with unchanged(server), Wire(server.address) as wire:
        wire.send(get("/hello")[:-5])
        assert wire.response().status == 408
        assert wire.is_closed()
        assert not wire.sock.ragged


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"a" * 70_000, bytes(range(256)), b"\x80\x2e\x01"],
    ids=["zeros", "oversized", "range", "SSLv2"],
)
def test_garbage_is_refused(server: Server, garbage: bytes) -> None:
    said = "Invalid request from ip=127.0.0.1: [SSL"
    before = server.log().count(said)
    with unchanged(server), plain(server) as raw:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
        # At most an alert (RFC 8446 section 6): never a page.
        assert len(ends(raw)) <= 7
    if garbage[0] != 0x80:
        server.wait_log(said, before + 1)


def test_plain_http_is_closed(server: Server) -> None:
    with unchanged(server), plain(server) as raw:
        raw.sendall(get("/hello"))
        assert b"HTTP" not in ends(raw)
        log = server.wait_log("[SSL: HTTP_REQUEST]")
    line = next(line for line in log.splitlines() if "HTTP_REQUEST" in line)
    assert "[WARNING] Invalid request from ip=127.0.0.1: [SSL: HTTP_REQUEST] http request" in line


def test_a_flood_of_them_does_not_flood_the_log(kitchen: Kitchen) -> None:
    server = kitchen(backlog=1999)
    with unchanged(server):
        for _ in range(400):
            with plain(server) as raw:
                raw.sendall(get("/hello"))
                ends(raw)
    server.wait_log("more messages left out")
    assert server.log().count("HTTP_REQUEST") < 400


def test_a_broken_record_after_a_good_one(server: Server) -> None:
    with unchanged(server), Wire(server.address) as wire:
        wire.send(get("/hello")[:-2])
        record = bytearray(wire.sock.encrypt(b"\r\n"))
        record[-1] ^= 1
        wire.sock.raw.sendall(record)
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
            wire.response()
        server.wait_log("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_byte_by_byte(server: Server, files: Certificates, version: str) -> None:
    """Every byte of the ciphertext alone, the handshake too."""
    context = files.client_context(version=ssl.TLSVersion[version])
    with plain(server) as raw:
        stream = TLSStream(Trickle(raw), context)  # type: ignore[arg-type]
        stream.sendall(post("/echo", b"trickled", "Connection: close"))
        received = b""
        while data := stream.recv(65536):
            received += data
    assert received.endswith(b"\r\n\r\ntrickled")
    assert not stream.ragged


class Trickle:
    """A socket that sends each byte alone."""

    def __init__(self, raw: socket.socket) -> None:
        self.recv = raw.recv
        self.send = raw.send

    def sendall(self, data: bytes) -> None:
        for at in range(len(data)):
            self.send(data[at : at + 1])


@pytest.mark.parametrize("suppress", [True, False])
def test_an_end_without_a_goodbye(kitchen: Kitchen, mode: Mode, suppress: bool) -> None:
    """`suppress_ragged_eofs`: an end inside a body is answered, or nothing is."""
    server = kitchen(suppress_ragged_eofs=suppress, loglevel="debug", **mode.keep_alive)
    with unchanged(server), Wire(server.address) as wire:
        # A complete request is served either way.
        wire.send(get("/hello"))
        wire.sock.raw.shutdown(socket.SHUT_WR)
        assert wire.response().body == HELLO
    with unchanged(server), Wire(server.address) as wire:
        wire.send(post("/echo", b"0123456789")[:-5])
        wire.sock.raw.shutdown(socket.SHUT_WR)
        if suppress:
            assert wire.response().status == 400
            assert wire.is_closed()
            assert not wire.sock.ragged
        else:
            # OpenSSL has an alert for it; another version may just close.
            with contextlib.suppress(ssl.SSLError):
                assert wire.read_to_close() == b""
                assert wire.sock.ragged
            server.wait_log("ssl connection closed")


def test_an_end_with_a_goodbye(kitchen: Kitchen, mode: Mode) -> None:
    """TLS 1.3: the client has said all, and reads on."""
    server = kitchen(**mode.keep_alive)
    with unchanged(server), Wire(server.address) as wire:
        wire.send(get("/bytes?n=200000"))
        wire.half_close()
        assert wire.response().body == b"x" * 200_000
    with unchanged(server), Wire(server.address) as wire:
        wire.send(post("/echo", b"0123456789")[:-5])
        wire.half_close()
        assert wire.response().status == 400


def recorded(server: Server) -> bytes:
    """What a client says from its first byte to the end of its request."""
    with plain(server) as raw:
        recorder = Recorder(raw)
        stream = TLSStream(recorder)  # type: ignore[arg-type]
        stream.sendall(get("/hello"))
        assert HELLO in stream.recv(65536)
        return bytes(recorder.sent)


class Recorder:
    """A socket that remembers what was sent."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.recv = raw.recv
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data
        self.raw.sendall(data)


def mutated(record: bytes, chance: random.Random) -> bytes:
    data = bytearray(record)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + 1] = chance.randbytes(chance.randint(0, 20))
        elif kind == 2:
            del data[at : at + chance.randint(1, 200)]
        else:
            data[at:at] = data[at : at + chance.randint(1, 200)]
        data = data or bytearray(b"\x16")
    return bytes(data)


def test_mutated_handshakes_end_no_worker(server: Server) -> None:
    record, chance = recorded(server), random.Random(20261121)
    with unchanged(server):
        for _ in range(300):
            data = mutated(record, chance)
            cut = chance.randrange(len(data))
            with plain(server) as raw:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    raw.sendall(data[:cut])
                    raw.sendall(data[cut:])
                    raw.shutdown(socket.SHUT_WR)
                assert b"HTTP" not in ends(raw)
