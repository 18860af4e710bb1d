"""The parser of uwsgi packets for worker classes in Python: the verdicts of the native workers, in
this process; and the environ, key by key, as a worker that uses it and a native one give it."""

from __future__ import annotations

import pickle
import socket
from typing import Any

import pytest

from harness.compare import same
from harness.server import Server, Spawn
from harness.uwsgi import request
from harness.wire import Wire
from rgunicorn.config import Config
from rgunicorn.http import get_parser, wsgi
from rgunicorn.http.errors import InvalidHeader, NoMoreData
from rgunicorn.http.parser import RequestParser
from rgunicorn.uwsgi import (
    ForbiddenUWSGIRequest,
    InvalidUWSGIHeader,
    UnsupportedModifier,
    UWSGIParseException,
    UWSGIParser,
    UWSGIRequest,
)
from rgunicorn.workers.refusal import refusal
from uwsgi.packets import BAD, GOOD, environ_of

PEER = ("127.0.0.1", 40000)


def whole(raw: bytes) -> list[bytes]:
    return [raw]


def bytewise(raw: bytes) -> list[bytes]:
    return [raw[i : i + 1] for i in range(len(raw))]


def parser(raw: bytes, split: Any = whole, peer: Any = PEER, **settings: Any) -> UWSGIParser:
    cfg = Config()
    for name, value in settings.items():
        cfg.set(name, value)
    return UWSGIParser(cfg, iter(split(raw)), peer)


@pytest.mark.parametrize("split", [whole, bytewise])
@pytest.mark.parametrize("raw, status, words", [case[1:] for case in BAD], ids=[c[0] for c in BAD])
def test_a_bad_packet(raw: bytes, status: int, words: str, split: Any) -> None:
    """`test_packets.py` has the native verdict on the same table."""
    with pytest.raises(Exception) as caught:
        next(parser(raw + request("/hello"), split))
    answer = refusal(caught.value)
    assert answer is not None, caught.value
    assert answer[0] == status
    assert words in str(caught.value)


@pytest.mark.parametrize("split", [whole, bytewise])
def test_one_after_the_other(split: Any) -> None:
    """A body that looks like a packet is a body, whether somebody reads it or not."""
    inner = request("/never")
    raws = [request("/1", inner), request("/2", inner), request("/3", HTTP_CONNECTION="close")]
    found = []
    for req in parser(b"".join(raws) + inner, split):
        body = req.body.read() if req.uri == "/1" else b""
        found.append((type(req), req.uri, req.req_number, body))
    same(
        found,
        [
            (UWSGIRequest, "/1", 1, inner),
            (UWSGIRequest, "/2", 2, b""),
            (UWSGIRequest, "/3", 3, b""),
        ],
    )


@pytest.mark.parametrize(
    "more",
    [
        {"CONTENT_LENGTH": None},
        {"CONTENT_LENGTH": "", "HTTP_CONTENT_LENGTH": "5"},
        {"CONTENT_LENGTH": "5", "HTTP_CONTENT_LENGTH": "6"},
        {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"},
    ],
)
def test_an_unsure_length_ends_the_connection(more: dict[str, Any]) -> None:
    found = list(parser(request("/x", **more) + b"12345" + request("/forged")))
    same([(req.uri, req.should_close()) for req in found], [("/x", True)])


def test_a_packet_that_ends_early() -> None:
    raw = request("/x")
    for cut in (1, 3, 4, 60, -1):
        with pytest.raises(NoMoreData):
            next(parser(raw[:cut]))
    assert list(parser(b"")) == []
    (req,) = parser(request("/x", b"abc")[:-1])
    with pytest.raises(NoMoreData):
        req.body.read()


def test_what_the_exceptions_have() -> None:
    with pytest.raises(InvalidUWSGIHeader) as header:
        next(parser(b"\0\1\0\0\5"))
    assert header.value.msg == "truncated key size"
    with pytest.raises(UnsupportedModifier) as modifier:
        next(parser(b"GET / HTTP/1.1\r\n\r\n"))
    assert modifier.value.modifier == ord("G")
    assert str(modifier.value).endswith("71 (HTTP to a server with protocol = 'uwsgi'?)")
    with pytest.raises(InvalidHeader) as late:
        next(parser(request("/x", CONTENT_LENGTH="x")))
    assert late.value.req.uri == "/x"  # type: ignore[attr-defined]
    for exc in (header.value, modifier.value):
        assert isinstance(exc, UWSGIParseException)
        assert str(pickle.loads(pickle.dumps(exc))) == str(exc)
    assert str(InvalidUWSGIHeader("x")) == "Invalid uWSGI header: x"


def test_who_may_speak() -> None:
    raw = request("/x")
    for allowed, peer in [
        ("127.0.0.0/8", PEER),
        ("*", ("192.0.2.7", 1)),
        ("10.0.0.1", ""),
        ("::1", ("::1", 1, 0, 0)),
    ]:
        assert next(parser(raw, peer=peer, uwsgi_allow_ips=allowed)).uri == "/x"
    with pytest.raises(ForbiddenUWSGIRequest) as caught:
        # Its first byte is enough.
        next(parser(raw, bytewise, uwsgi_allow_ips="192.0.2.1,10.0.0.0/8"))
    assert (caught.value.host, refusal(caught.value)[0]) == ("127.0.0.1", 403)  # type: ignore[index]


def test_a_preamble() -> None:
    preamble = b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n"
    raw = preamble + request("/1") + request("/2", REMOTE_ADDR=None, REMOTE_PORT=None)
    found = [environ(req)[1] for req in parser(raw, bytewise, proxy_protocol="v1")]
    # What a packet says goes before it.
    same([each["REMOTE_ADDR"] for each in found], ["198.51.100.7", "203.0.113.9"])
    same([each["PROXY_ADDR"] for each in found], ["192.0.2.7"] * 2)


def environ(req: Any) -> tuple[Any, dict[str, Any]]:
    """Response and environ; nothing is sent for them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = wsgi.create(req, ours, PEER, ("127.0.0.1", 80), req.cfg)
        made[1]["wsgi.early_hints"]([("Link", "</x>")])
        ours.shutdown(socket.SHUT_WR)
        assert theirs.recv(100) == b"", "100 Continue, or early hints"
    return made


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"])
def test_the_response_has_no_chunks(version: str) -> None:
    req = next(parser(request("/x", SERVER_PROTOCOL=version, HTTP_EXPECT="100-continue")))
    resp, _ = environ(req)
    sent = b""

    class Wired:
        def send(self, data: bytes) -> int:
            nonlocal sent
            sent += data
            return len(data)

    resp.sock = Wired()
    resp.start_response("200 OK", [])
    resp.write(b"hi")
    resp.close()
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"\r\nConnection: close" in head
    assert body == b"hi"
    assert resp.should_close()


def test_the_protocol_chooses() -> None:
    cfg = Config()
    assert type(get_parser(cfg, iter([]), "")) is RequestParser
    cfg.set("protocol", "uwsgi")
    assert type(get_parser(cfg, iter([]), "")) is UWSGIParser
    # Named by class, it is what it is called.
    assert next(RequestParser(cfg, iter([b"GET /h HTTP/1.1\r\n\r\n"]), "")).uri == "/h"


@pytest.fixture(scope="module")
def servers(module_spawn: Spawn) -> dict[str, Server]:
    def start(worker: str) -> Server:
        settings = {"worker_class": worker, "protocol": "uwsgi", "threads": 2, "accesslog": "-"}
        return module_spawn("environ:app", settings=settings)

    own = ("Threads", "Sync")
    return {"native": start("gthread")} | {name: start(f"overriding.{name}") for name in own}


@pytest.mark.gunicorn_bug("ignores most of the packet")
@pytest.mark.parametrize("worker", ["Threads", "Sync"])
@pytest.mark.parametrize("name", GOOD)
def test_the_environ_is_that_of_a_native_worker(
    servers: dict[str, Server], worker: str, name: str
) -> None:
    native, python = (environ_of(servers[which], GOOD[name]) for which in ("native", worker))
    # What the overrides add.
    assert python.pop("HTTP_X_ADDED")
    python.pop("HTTP_X_PEER_CERT", None)
    if worker == "Sync":
        assert native.pop("wsgi.multithread") == ["bool", True]
        assert python.pop("wsgi.multithread") == ["bool", False]
    same(python, native)


@pytest.mark.gunicorn_bug("the access line has nothing of the packet")
@pytest.mark.parametrize("worker", ["native", "Threads", "Sync"])
def test_access_lines(servers: dict[str, Server], worker: str) -> None:
    """Of a request, and of one that was refused when it was known."""
    server = servers[worker]
    environ_of(server, request("/mine"))
    server.wait_log("198.51.100.7 - - [")
    server.wait_log('"GET /mine HTTP/1.1" 200')
    with Wire(server.address) as wire:
        wire.send(request("/bad", CONTENT_LENGTH="x")).read_to_close()
    log = server.wait_log('"GET /bad HTTP/1.1" 400')
    (line,) = (line for line in log.splitlines() if '"GET /bad HTTP/1.1" 400' in line)
    assert line.startswith("198.51.100.7 ")
