"""Several requests on one connection: `sync_keepalive` and the gthread worker."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from harness.compare import same
from harness.mode import THREADS, Mode
from harness.nginx import available, nginx
from harness.server import Address, Kitchen
from harness.wire import Wire, ask, chunked, get, post

pytestmark = pytest.mark.ours("sync_keepalive", "sync")


@pytest.fixture
def address(kitchen: Kitchen, mode: Mode) -> Address:
    return kitchen(**mode.keep_alive).address


@pytest.mark.only("in gthread it is on", "sync")
def test_off_by_default(kitchen: Kitchen) -> None:
    with Wire(kitchen().address) as wire:
        wire.send(get("/hello") * 2)
        assert wire.response().header("Connection") == "close"
        assert wire.is_closed()


@pytest.mark.parametrize(
    "path, method, body",
    [
        ("/hello", "GET", b"Hello, World!"),
        ("/stream", "GET", b"onetwothree"),
        ("/bytes?n=300000", "GET", b"x" * 300_000),
        ("/hello", "HEAD", b""),
        ("/empty", "GET", b""),
    ],
)
def test_one_after_the_other(address: Address, path: str, method: str, body: bytes) -> None:
    with Wire(address) as wire:
        for _ in range(5):
            response = wire.send(get(path, method=method)).response(method)
            assert response.header("Connection") == "keep-alive"
            assert response.body == body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        *("/sized", "/long", "/write", "/extra", "/hop", "/exc_info", "/peek", "/early"),
        *("/status?s=204+No+Content", "/status?s=304+Not+Modified", "/status?s=404+Not+Found"),
        *("/body-204?s=204+No+Content", "/body-204?s=304+Not+Modified"),
        *("/file", "/file?chunked", "/file-like", "/file-range?o=100&n=70000"),
    ],
)
def test_every_response_ends_where_the_next_one_begins(
    address: Address, path: str, method: str
) -> None:
    with Wire(address) as wire:
        for _ in range(2):
            response = wire.send(get(path, method=method)).response(method)
            assert response.header("Connection") == "keep-alive"
            assert wire.send(get("/hello")).response().body == b"Hello, World!"


def test_pipelined(address: Address) -> None:
    raw = [
        get("/hello"),
        post("/echo", b"one"),
        get("/stream"),
        get("/echo", "Transfer-Encoding: chunked", method="POST") + chunked(b"tw", b"o"),
        get("/hello", "Connection: close"),
    ]
    with Wire(address) as wire:
        wire.send(b"".join(raw))
        bodies = [wire.response().body for _ in raw]
        same(bodies, [b"Hello, World!", b"one", b"onetwothree", b"two", b"Hello, World!"])
        assert wire.is_closed()


def test_pipelined_byte_by_byte(address: Address) -> None:
    with Wire(address) as wire:
        wire.send_byte_by_byte((post("/echo", b"ab") + get("/hello")) * 2)
        same([wire.response().body for _ in range(4)], [b"ab", b"Hello, World!"] * 2)


def test_environ_is_fresh_each_time(address: Address) -> None:
    with Wire(address) as wire:
        first = json.loads(wire.send(get("/environ/1?a", "X-One: 1")).response().body)
        second = json.loads(wire.send(get("/environ/2")).response().body)
    assert first["HTTP_X_ONE"] == ["str", "1"]
    assert "HTTP_X_ONE" not in second
    assert second["PATH_INFO"] == ["str", "/environ/2"]
    assert second["QUERY_STRING"] == ["str", ""]


@pytest.mark.parametrize(
    "header, version",
    [
        ("Connection: close", "1.1"),
        ("X: none", "1.0"),
        ("Connection: close", "1.0"),
        *(
            pytest.param(header, "1.1", marks=pytest.mark.gunicorn_bug("compares it as a whole"))
            for header in (
                "Connection: close, keep-alive",
                "Connection: keep-alive,CLOSE",
                "Connection: keep-alive\r\nConnection: close",
            )
        ),
    ],
)
def test_client_may_end_it(address: Address, header: str, version: str) -> None:
    with Wire(address) as wire:
        response = wire.send(get("/hello", header, version=version)).response()
        assert response.header("Connection") == "close"
        assert wire.is_closed()


def test_http_1_0_may_ask_for_it(address: Address) -> None:
    with Wire(address) as wire:
        for _ in range(2):
            raw = get("/hello", "Connection: keep-alive", version="1.0")
            response = wire.send(raw).response()
            assert response.header("Connection") == "keep-alive"


def test_http_1_0_without_length_ends_with_a_close(address: Address) -> None:
    with Wire(address) as wire:
        raw = get("/stream", "Connection: keep-alive", version="1.0")
        response = wire.send(raw).response()
        assert response.header("Connection") == "close"
        assert response.body == b"onetwothree"


@pytest.mark.parametrize("path", ["/unread", "/hello"])
def test_unread_body_does_not_become_a_request(address: Address, path: str) -> None:
    with Wire(address) as wire:
        wire.send(post(path, get("/smuggled")))
        assert wire.response().status in (200, 413)
        assert wire.send(get("/stream")).response().body == b"onetwothree"


@pytest.mark.gunicorn_bug("keeps the connection open, and the client waiting", "gthread")
def test_too_short_a_response_ends_it(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(get("/short"))
        assert wire.read_to_close().endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize("path", ["/raise", "/raise-late"])
def test_an_error_ends_it(address: Address, path: str) -> None:
    with Wire(address) as wire:
        wire.send(get(path))
        assert b"Hello" not in wire.read_to_close()


def test_a_malformed_second_request_ends_it(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(get("/hello") + b"GARBAGE\r\n\r\n" + get("/hello"))
        assert wire.response().status == 200
        assert wire.response().status == 400
        assert wire.is_closed()


def test_idle_connections_hold_nobody(address: Address) -> None:
    with Wire(address) as idle:
        assert idle.send(get("/hello")).response().status == 200
        for _ in range(3):
            with Wire(address) as wire:
                assert wire.send(get("/hello")).response().status == 200
        assert idle.send(get("/hello")).response().status == 200


def test_idle_connection_is_closed_in_the_end(kitchen: Kitchen, mode: Mode) -> None:
    with Wire(kitchen(**{**mode.keep_alive, "keepalive": 1}).address) as wire:
        assert wire.send(get("/hello")).response().header("Connection") == "keep-alive"
        assert wire.is_closed()


def test_keepalive_0_means_close(kitchen: Kitchen, mode: Mode) -> None:
    with Wire(kitchen(**{**mode.keep_alive, "keepalive": 0}).address) as wire:
        assert wire.send(get("/hello")).response().header("Connection") == "close"
        assert wire.is_closed()


def test_kept_connections_leave_room_for_others(kitchen: Kitchen, mode: Mode) -> None:
    """Below `worker_connections` there is a place for each thread that no idle client takes."""
    threads = THREADS if mode.worker == "gthread" else 1
    settings = {**mode.keep_alive, "keepalive": 60, "worker_connections": threads + 3}
    address = kitchen(**settings).address
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address)) for _ in range(3 * threads + 3)]
        answers = [wire.send(get("/hello")).response() for wire in wires]
        kept = [answer.header("Connection") for answer in answers].count("keep-alive")
    assert 0 < kept < threads + 3


@pytest.mark.only("a unix peer has no port to be known by", "tcp")
@pytest.mark.skipif(not available(), reason="nginx is not installed")
def test_nginx_stays_connected(address: Address, tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", address, keepalive=True) as proxy:
        front = ("127.0.0.1", proxy.port)
        found = [json.loads(ask(front, get("/environ")).body) for _ in range(10)]
    assert len({environ["REMOTE_PORT"][1] for environ in found}) == 1
