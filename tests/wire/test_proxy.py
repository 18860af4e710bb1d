"""PROXY protocol v1 and v2 in front of a request."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.pages import error_response
from harness.server import Kitchen
from harness.wire import Wire, exchange, get

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
INET = struct.pack("!4s4sHH", bytes([203, 0, 113, 9]), bytes([192, 0, 2, 7]), 4711, 443)
INET6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(16) + struct.pack("!HH", 99, 443)
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n"
V1_6 = b"PROXY TCP6 2001:db8::9 2001:db8::7 99 443\r\n"


def v2(command: int, family: int, payload: bytes, version: int = 2) -> bytes:
    head = SIGNATURE + bytes([version << 4 | command, family])
    return head + struct.pack("!H", len(payload)) + payload


TLV = b"\x01\0\x02h2"
ALLOWED = [
    ("auto", V1, "203.0.113.9", "4711"),
    ("v1", V1, "203.0.113.9", "4711"),
    ("auto", V1_6, "2001:db8::9", "99"),
    ("auto", v2(1, 0x11, INET), "203.0.113.9", "4711"),
    ("v2", v2(1, 0x11, INET + TLV), "203.0.113.9", "4711"),
    ("auto", v2(1, 0x21, INET6), "2001:db8::9", "99"),
]


def answer(address: object, preamble: bytes, slowly: bool = False) -> dict[str, object]:
    raw = preamble + get("/environ")
    with Wire(address) as wire:  # type: ignore[arg-type]
        if slowly:
            wire.send_byte_by_byte(raw)
        else:
            wire.send(raw)
        response = wire.response()
    assert response.status == 200, response
    return {key: value for key, (_, value) in json.loads(response.body).items()}


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("protocol, preamble, host, port", ALLOWED)
def test_peer_is_replaced(
    kitchen: Kitchen, protocol: str, preamble: bytes, host: str, port: str, slowly: bool
) -> None:
    found = answer(kitchen(proxy_protocol=protocol).address, preamble, slowly)
    keys = ("REMOTE_ADDR", "REMOTE_PORT", "PROXY_PROTOCOL")
    same([found[key] for key in keys], [host, port, "TCP6" if ":" in host else "TCP4"])
    assert found["PROXY_ADDR"] in ("192.0.2.7", "2001:db8::7", "::")
    assert found["PROXY_PORT"] == "443"


@pytest.mark.parametrize("size", [20_000, 65_535 - 12])
def test_a_long_preamble(kitchen: Kitchen, size: int) -> None:
    """As long as its 16 bits can say, whatever the limits on the head behind it."""
    limits = {"limit_request_line": 100, "limit_request_fields": 3, "limit_request_field_size": 100}
    address = kitchen(proxy_protocol="auto", **limits).address
    found = answer(
        address, v2(1, 0x11, INET + b"\xe0" + struct.pack("!H", size - 3) + bytes(size - 3))
    )
    assert found["REMOTE_ADDR"] == "203.0.113.9"


def test_a_preamble_that_ends_early(kitchen: Kitchen) -> None:
    server = kitchen(proxy_protocol="auto")
    for part in (
        SIGNATURE[:7],
        v2(1, 0x11, INET)[:20],
        v2(1, 0x11, bytes(65_535))[:30_000],
        V1[:-1],
    ):
        with Wire(server.address) as wire:
            assert wire.send(part).half_close().read_to_close() == b""
    assert answer(server.address, b"")["PATH_INFO"] == "/environ"


def test_without_preamble_it_is_served_as_usual(kitchen: Kitchen, mode: Mode) -> None:
    found = answer(kitchen(proxy_protocol="auto").address, b"")
    assert found["REMOTE_ADDR"] == ("127.0.0.1" if mode.transport == "tcp" else "")
    assert "PROXY_PROTOCOL" not in found


@pytest.mark.parametrize(
    "preamble",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        v2(0, 0x00, b""),
        v2(1, 0x00, b""),
        v2(0, 0x11, INET),
        v2(1, 0x31, bytes(216)),
        v2(1, 0x12, INET),
    ],
    ids=["unknown", "unknown with more", "local", "unspec", "local inet", "unix", "datagram"],
)
@pytest.mark.gunicorn_bug("REMOTE_ADDR None and REMOTE_PORT 'None', or a refusal, or 500")
def test_unusable_addresses_keep_the_peer(kitchen: Kitchen, mode: Mode, preamble: bytes) -> None:
    found = answer(kitchen(proxy_protocol="auto").address, preamble)
    assert found["REMOTE_ADDR"] == ("127.0.0.1" if mode.transport == "tcp" else "")
    assert found.get("REMOTE_PORT") != "None"


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 203.0.113.9 192.0.2.7 4711\r\n",
        b"PROXY TCP4 999.0.0.1 192.0.2.7 4711 443\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 65536\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.7 x 443\r\n",
        b"PROXY TCP9 203.0.113.9 192.0.2.7 4711 443\r\n",
    ],
)
def test_bad_v1_line(kitchen: Kitchen, line: bytes) -> None:
    found = exchange(kitchen(proxy_protocol="auto").address, line + get("/hello"))
    assert found.startswith(b"HTTP/1.1 400 Bad Request\r\n"), found
    assert b"Invalid PROXY line" in found


@pytest.mark.parametrize(
    "preamble",
    [v2(1, 0x11, INET, version=3), v2(2, 0x11, INET), v2(1, 0x11, b"ab"), v2(1, 0x51, INET)],
    ids=["version 3", "command", "short", "family"],
)
@pytest.mark.gunicorn_bug("what v2 cannot say answers 500 with a traceback")
def test_bad_v2_preamble(kitchen: Kitchen, preamble: bytes) -> None:
    found = exchange(kitchen(proxy_protocol="auto").address, preamble + get("/hello"))
    assert found.startswith(b"HTTP/1.1 400 Bad Request\r\n"), found


@pytest.mark.parametrize("preamble", [V1, v2(1, 0x11, INET)], ids=["v1", "v2"])
def test_forbidden_sender(kitchen: Kitchen, mode: Mode, preamble: bytes) -> None:
    server = kitchen(proxy_protocol="auto", proxy_allow_ips="192.0.2.1")
    found = exchange(server.address, preamble + get("/hello"))
    if mode.transport == "tcp":
        same(found, error_response(403, "Forbidden", "Request forbidden"))
    else:
        assert found.startswith(b"HTTP/1.1 200 OK\r\n")


def test_off_means_a_bad_request_line(kitchen: Kitchen) -> None:
    assert exchange(kitchen().address, V1 + get("/hello")).startswith(b"HTTP/1.1 400 Bad Request")
