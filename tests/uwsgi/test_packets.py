"""uwsgi packets on the wire: what is refused, what follows, how connections end."""

from __future__ import annotations

import struct

import pytest

from harness.mode import Mode
from harness.server import Kitchen, Server
from harness.uwsgi import Text, request
from harness.wire import Wire
from uwsgi.packets import BAD
from uwsgi.talk import ask, environ, seen


@pytest.mark.parametrize("raw, status, words", [case[1:] for case in BAD], ids=[c[0] for c in BAD])
@pytest.mark.gunicorn_bug("500 with a traceback, or taken")
def test_a_bad_packet(server: Server, raw: bytes, status: int, words: str) -> None:
    before = server.log().count("[WARNING]")
    with Wire(server.address) as wire:
        found = wire.send(raw + request("/hello")).read_to_close()
    reason = {400: b"Bad Request", 501: b"Not Implemented"}[status]
    assert found.startswith(b"HTTP/1.1 %d %s\r\nConnection: close\r\n" % (status, reason)), found
    assert found.count(b"\nHTTP/1.1 ") == 0, "what follows was taken for a request"
    server.wait_log("[WARNING]", before + 1)
    warning = [line for line in server.log().splitlines() if "[WARNING]" in line][-1]
    assert "Invalid request from ip=" in warning
    assert words in warning
    assert "Traceback" not in server.log()


@pytest.mark.gunicorn_bug("500 with a traceback")
@pytest.mark.parametrize("cut", [1, 3, 4, 60, -1])
def test_a_packet_that_ends_early_has_nobody_to_answer(server: Server, cut: int) -> None:
    before = server.log()
    with Wire(server.address) as wire:
        assert wire.send(request("/hello")[:cut]).half_close().read_to_close() == b""
    assert ask(server.address, request("/hello")).status == 200
    assert "[WARNING]" not in server.log()[len(before) :]


def test_a_packet_to_an_http_server(kitchen: Kitchen) -> None:
    with Wire(kitchen().address) as wire:
        found = wire.send(request("/hello")).half_close().read_to_close()
    assert b"200 OK" not in found


def test_the_largest_packet(server: Server) -> None:
    rest = 65535 - (len(request("/environ", HTTP_X="")) - 4)
    raw = request("/environ", HTTP_X="x" * rest)
    assert struct.unpack("<H", raw[1:3]) == (65535,)
    assert seen(server, raw)["HTTP_X"] == "x" * rest


@pytest.mark.parametrize("more", [0, 975])
def test_many_variables(server: Server, more: int) -> None:
    raw = request("/environ", **{f"K{n}": "" for n in range(more)})
    assert len([name for name in seen(server, raw) if name[:1] == "K"]) in (0, more)


def test_byte_by_byte(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send_byte_by_byte(request("/echo", b"abc\0\xff"))
        assert wire.response().body == b"abc\0\xff"


@pytest.mark.ours("sync_keepalive", "sync")
def test_one_after_the_other(kitchen: Kitchen, mode: Mode) -> None:
    """All at once; a body that looks like a packet is a body."""
    server = kitchen(protocol="uwsgi", **mode.keep_alive)
    inner = request("/raise")
    raw = request("/hello") + request("/echo", inner) + request("/environ", HTTP_CONNECTION="close")
    with Wire(server.address) as wire:
        wire.send(raw + request("/never"))
        assert wire.response().header("Connection") == "keep-alive"
        response = wire.response()
        assert (response.body, response.header("Connection")) == (inner, "keep-alive")
        response = wire.response()
        assert response.header("Connection") == "close"
        assert environ(response)["HTTP_CONNECTION"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize(
    "more",
    [
        {"CONTENT_LENGTH": None},
        {"CONTENT_LENGTH": "", "HTTP_CONTENT_LENGTH": "5"},
        {"CONTENT_LENGTH": "5", "HTTP_CONTENT_LENGTH": "6"},
        {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"},
    ],
    ids=["none", "withheld", "other", "chunked"],
)
@pytest.mark.gunicorn_bug("the body of one request is the next packet")
def test_an_unsure_length_ends_the_connection(
    kitchen: Kitchen, mode: Mode, more: dict[str, Text]
) -> None:
    """What follows is the client's, and must never be read as the proxy's word."""
    server = kitchen(protocol="uwsgi", **mode.keep_alive)
    forged = request("/environ", REMOTE_USER="admin")
    with Wire(server.address) as wire:
        wire.send(request("/hello", **more) + b"12345" + forged)
        assert wire.response().header("Connection") == "close"
        assert wire.read_to_close() == b""


@pytest.mark.gunicorn_bug("a traceback: incomplete header")
def test_an_idle_connection_ends_in_silence(kitchen: Kitchen, mode: Mode) -> None:
    settings = mode.keep_alive | {"keepalive": 1}
    server = kitchen(protocol="uwsgi", errorlog="-", **settings)
    before = server.log()
    with Wire(server.address) as wire:
        assert wire.send(request("/hello")).response().header("Connection") == "keep-alive"
        assert wire.is_closed()
    with Wire(server.address) as wire:
        wire.send(request("/hello")).response()
        wire.half_close()
        assert wire.is_closed()
    with Wire(server.address):
        pass
    assert ask(server.address, request("/hello")).status == 200
    assert "Invalid" not in server.log()[len(before) :]


def test_without_a_length_it_ends_with_the_connection(server: Server) -> None:
    response = ask(server.address, request("/stream/3"))
    assert response.header("Transfer-Encoding") is None
    assert response.header("Connection") == "close"
    assert response.status_line == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/2.0", "HTTP/3.0", ""])
@pytest.mark.gunicorn_bug("SERVER_PROTOCOL is ignored")
def test_the_version_is_that_of_the_client(server: Server, version: str) -> None:
    response = ask(server.address, request("/environ", SERVER_PROTOCOL=version))
    assert response.status_line == "HTTP/1.1 200 OK"
    assert environ(response)["SERVER_PROTOCOL"] == (version or "HTTP/1.1")


def test_head(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send(request("/hello", REQUEST_METHOD="HEAD", HTTP_CONNECTION="close"))
        found = wire.read_to_close()
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert found.endswith(b"\r\n\r\n")


@pytest.mark.gunicorn_bug("sends 103, which nginx takes for the response")
def test_no_early_hints(server: Server) -> None:
    response = ask(server.address, request("/early"))
    assert (response.hints, response.body) == ([], b"ok")


def test_no_100_continue(server: Server) -> None:
    response = ask(server.address, request("/echo", b"abc", HTTP_EXPECT="100-continue"))
    assert (response.hints, response.body) == ([], b"abc")


def test_an_expectation_is_the_proxys_affair(server: Server) -> None:
    assert ask(server.address, request("/hello", HTTP_EXPECT="wonders")).status == 200
