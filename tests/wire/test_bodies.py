"""Request bodies as `wsgi.input` gives them."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from harness.compare import same
from harness.server import Address, Server
from harness.wire import Wire, ask, chunked, get, post

TEXT = b"first\nsecond\r\nthird\n\nlast without end"


def as_length(path: str, body: bytes) -> bytes:
    return post(path, body)


def as_chunks(path: str, body: bytes) -> bytes:
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    return get(path, "Transfer-Encoding: chunked", method="POST") + chunked(*pieces)


FRAMINGS = pytest.mark.parametrize("frame", [as_length, as_chunks])


@FRAMINGS
@pytest.mark.parametrize("size", [1, 5, 65536])
def test_echo(address: Address, frame, size: int) -> None:
    assert ask(address, frame(f"/echo?n={size}", TEXT)).body == TEXT


@FRAMINGS
def test_byte_by_byte(address: Address, frame) -> None:
    with Wire(address) as wire:
        wire.send_byte_by_byte(frame("/echo", TEXT))
        assert wire.response().body == TEXT


@FRAMINGS
@pytest.mark.parametrize(
    "query, expected",
    [
        ("how=readline", TEXT.splitlines(keepends=True)),
        ("how=readlines", TEXT.splitlines(keepends=True)),
        ("how=iterate", TEXT.splitlines(keepends=True)),
        ("how=readline&n=4", [b"firs", b"t\n", b"seco", b"nd\r\n", b"thir", b"d\n", b"\n"]),
    ],
)
def test_lines(address: Address, frame, query: str, expected: list[bytes]) -> None:
    found = json.loads(ask(address, frame(f"/lines?{query}", TEXT)).body)
    same(found[: len(expected)], [line.decode("latin-1") for line in expected])
    assert "".join(found).encode("latin-1") == TEXT


@FRAMINGS
@pytest.mark.parametrize(
    "calls, results",
    [
        ("read=", [TEXT.decode()]),
        ("read=-1", [TEXT.decode()]),
        ("read=0&read=3&read=", ["", "fir", TEXT.decode()[3:]]),
        ("read=&read=&readline=&readlines=", [TEXT.decode(), "", "", []]),
        ("readline=&read=4&readline=", ["first\n", "seco", "nd\r\n"]),
        ("readline=0&readline=2&readline=99", ["", "fi", "rst\n"]),
        ("read=9999", [TEXT.decode()]),
    ],
)
def test_mixed_calls(address: Address, frame, calls: str, results: list[object]) -> None:
    same(json.loads(ask(address, frame(f"/call?{calls}", TEXT)).body), results)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_no_length_means_no_body(address: Address, method: str) -> None:
    raw = get("/call?read=", method=method)
    with Wire(address) as wire:
        response = wire.send(raw).response(method)
    assert response.status == 200
    if method != "HEAD":
        assert json.loads(response.body) == [""]


def test_get_may_have_a_body(address: Address) -> None:
    assert ask(address, post("/echo", b"body", method="GET")).body == b"body"


@pytest.mark.parametrize(
    "body",
    [
        b"3;name\r\nabc\r\n0\r\n\r\n",
        b'3;name=value;q="a b"\r\nabc\r\n0;last\r\n\r\n',
        b"0003\r\nabc\r\n0000\r\n\r\n",
        b"1\r\na\r\n2\r\nbc\r\n0\r\nX-Trailer: v\r\nY: w\r\n\r\n",
    ],
    ids=["extension", "extension values", "leading zeros", "trailers"],
)
def test_chunk_grammar(address: Address, body: bytes) -> None:
    raw = get("/echo", "Transfer-Encoding: chunked", method="POST") + body
    assert ask(address, raw).body == b"abc"


def test_hexadecimal_sizes(address: Address) -> None:
    raw = get("/echo", "Transfer-Encoding: chunked", method="POST")
    assert ask(address, raw + b"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n").body == (
        b"0123456789abcdefghij"
    )


def test_trailers_stay_out_of_environ(address: Address) -> None:
    raw = get("/environ", "Transfer-Encoding: chunked", method="POST")
    found = json.loads(ask(address, raw + b"0\r\nX-Late: v\r\n\r\n").body)
    assert not [key for key in found if "LATE" in key]


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "identity, chunked", "gzip, chunked"])
def test_transfer_codings(address: Address, coding: str) -> None:
    raw = get("/echo", f"Transfer-Encoding: {coding}", method="POST") + chunked(b"as is")
    assert ask(address, raw).body == b"as is"


@FRAMINGS
def test_large(address: Address, frame) -> None:
    body = random.Random(1).randbytes(3_000_001)
    raw = post("/pieces", body)
    if frame is as_chunks:
        pieces = [body[i : i + 50_000] for i in range(0, len(body), 50_000)]
        raw = get("/pieces", "Transfer-Encoding: chunked", method="POST") + chunked(*pieces)
    expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    assert ask(address, raw).body == expected


@FRAMINGS
@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
def test_expect_continue(address: Address, frame, value: str) -> None:
    head, _, body = frame("/echo", TEXT).partition(b"\r\n\r\n")
    with Wire(address) as wire:
        wire.send(head + f"\r\nExpect: {value}\r\n\r\n".encode())
        assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.send(body).response().body == TEXT


def test_expect_is_answered_even_if_the_app_never_reads(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(get("/hello", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        wire.send(b"12345")
        response = wire.response()
    assert response.hints == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    assert response.body == b"Hello, World!"


def test_expect_means_nothing_in_http_1_0(address: Address) -> None:
    raw = get("/echo", "Expect: 100-continue", "Content-Length: 2", method="POST", version="1.0")
    response = ask(address, raw + b"ok")
    assert (response.hints, response.body) == ([], b"ok")


def test_chunked_body_cut_short_is_never_taken_for_whole(server: Server) -> None:
    """Gunicorn's app gets NoMoreData from read(); rgunicorn refuses before the app starts."""
    raw = get("/call?read=", "Transfer-Encoding: chunked", method="POST")
    with Wire(server.address) as wire:
        wire.send(raw + b"5\r\nab").half_close()
        response = wire.response()
    if response.status == 200:
        assert json.loads(response.body) == ["NoMoreData"]
    else:
        assert response.status == 400


def test_leading_empty_line_is_skipped(address: Address) -> None:
    assert ask(address, b"\r\n" + get("/hello")).body == b"Hello, World!"


@pytest.mark.parametrize("raw", [b"", b"GET", b"GET /hello HTTP/1.1\r\nHost: a\r\n"])
def test_client_that_leaves_before_the_end_of_the_head(server: Server, raw: bytes) -> None:
    workers, log = server.workers(), server.log()
    with Wire(server.address) as wire:
        wire.send(raw).half_close()
        assert wire.read_to_close() == b""
    assert ask(server.address, get("/hello")).status == 200
    assert server.workers() == workers
    same(server.log(), log)


def test_head_byte_by_byte(address: Address) -> None:
    with Wire(address) as wire:
        wire.send_byte_by_byte(get("/environ?a=b", "X-Slow: yes"))
        found = json.loads(wire.response().body)
    assert found["HTTP_X_SLOW"] == ["str", "yes"]
