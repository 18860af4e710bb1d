"""Requests nobody may accept: each gets Gunicorn's words and a close, and the worker lives on."""

from __future__ import annotations

import pytest

from harness.compare import same
from harness.pages import error_response
from harness.server import Kitchen, Server
from harness.wire import chunked, exchange, get

LINE = "Invalid Request Line 'Invalid HTTP request line: {}'"
METHOD = "Invalid Method 'Invalid HTTP method: {}'"
VERSION = "Invalid HTTP Version 'Invalid HTTP Version: {}'"
NAME = "Invalid HTTP header name: {}"
HEADER = "Invalid HTTP Header: {}"
CHUNKED = get("/echo", "Transfer-Encoding: chunked", method="POST")


def head(line: str) -> bytes:
    return f"{line}\r\nHost: a\r\n\r\n".encode("latin-1")


def field(line: str) -> bytes:
    return get("/", line)


BAD = (400, "Bad Request")
LONG = (414, "URI Too Long")
FIELDS = (431, "Request Header Fields Too Large")

# name: (request, status and reason, message)
MALFORMED: dict[str, tuple[bytes, tuple[int, str], str]] = {
    # Request line
    "one word": (head("GET"), BAD, LINE.format("'GET'")),
    "two words": (head("GET /"), BAD, LINE.format("'GET /'")),
    "four words": (head("GET / x HTTP/1.1"), BAD, VERSION.format("'x HTTP/1.1'")),
    "two blanks": (head("GET  / HTTP/1.1"), BAD, LINE.format("'GET  / HTTP/1.1'")),
    "leading blank": (head(" GET / HTTP/1.1"), BAD, METHOD.format("''")),
    "tab": (head("GET\t/\tHTTP/1.1"), BAD, LINE.format("'GET\\t/\\tHTTP/1.1'")),
    "two leading empty lines": (
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        BAD,
        LINE.format("''"),
    ),
    "method lower case": (head("get / HTTP/1.1"), BAD, METHOD.format("'get'")),
    "method too short": (head("GE / HTTP/1.1"), BAD, METHOD.format("'GE'")),
    "method too long": (head("A" * 21 + " / HTTP/1.1"), BAD, METHOD.format(repr("A" * 21))),
    "method hash": (head("GE#T / HTTP/1.1"), BAD, METHOD.format("'GE#T'")),
    "method not a token": (head("G(T / HTTP/1.1"), BAD, METHOD.format("'G(T'")),
    "target relative": (head("GET foo HTTP/1.1"), BAD, LINE.format("'GET foo HTTP/1.1'")),
    "target non-ascii": (head("GET /\xe9 HTTP/1.1"), BAD, LINE.format("'GET /\xe9 HTTP/1.1'")),
    "target control": (head("GET /\x01 HTTP/1.1"), BAD, LINE.format("'GET /\\x01 HTTP/1.1'")),
    "target del": (head("GET /\x7f HTTP/1.1"), BAD, LINE.format("'GET /\\x7f HTTP/1.1'")),
    "star without options": (head("GET * HTTP/1.1"), BAD, LINE.format("'GET * HTTP/1.1'")),
    "authority without connect": (
        head("GET a:80 HTTP/1.1"),
        BAD,
        LINE.format("'GET a:80 HTTP/1.1'"),
    ),
    "version 2": (head("GET / HTTP/2.0"), BAD, VERSION.format("(2, 0)")),
    "version 0.9": (head("GET / HTTP/0.9"), BAD, VERSION.format("(0, 9)")),
    "version short": (head("GET / HTTP/1"), BAD, VERSION.format("'HTTP/1'")),
    "version lower case": (head("GET / http/1.1"), BAD, VERSION.format("'http/1.1'")),
    "version two digits": (head("GET / HTTP/1.10"), BAD, VERSION.format("'HTTP/1.10'")),
    "version sign": (head("GET / HTTP/+1.1"), BAD, VERSION.format("'HTTP/+1.1'")),
    "bare lf in line": (
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        BAD,
        LINE.format("'bare LF as line terminator'"),
    ),
    "bare lf everywhere": (
        b"GET / HTTP/1.1\nHost: a\n\n",
        BAD,
        LINE.format("'bare LF as line terminator'"),
    ),
    # Header fields
    "bare cr in value": (field("X: a\rb"), BAD, HEADER.format("'X'")),
    "nul in value": (field("X: a\0b"), BAD, HEADER.format("'X'")),
    "control in value": (field("X: a\x01b"), BAD, HEADER.format("'X'")),
    "del in value": (field("X: a\x7fb"), BAD, HEADER.format("'X'")),
    "no colon": (field("X"), BAD, HEADER.format("'X'")),
    "empty name": (field(": v"), BAD, HEADER.format("': v'")),
    "blank before colon": (field("X : v"), BAD, NAME.format("'X '")),
    "tab before colon": (field("X\t: v"), BAD, NAME.format("'X\\t'")),
    "blank in name": (field("X Y: v"), BAD, NAME.format("'X Y'")),
    "name not a token": (field("X(: v"), BAD, NAME.format("'X('")),
    "name non-ascii": (field("X\xe9: v"), BAD, NAME.format("'X\xe9'")),
    "folding": (field("X: a\r\n b"), BAD, "Obsolete line folding is unacceptable: 'X'"),
    "folding by tab": (field("X: a\r\n\tb"), BAD, "Obsolete line folding is unacceptable: 'X'"),
    "first field folded": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD, NAME.format("' Host'")),
    "host twice": (field("Host: b"), BAD, HEADER.format("'HOST'")),
    "content-type twice": (
        get("/", "Content-Type: a/b", "Content-Type: a/b"),
        BAD,
        HEADER.format("'CONTENT-TYPE'"),
    ),
    # Framing
    "length twice": (
        get("/", "Content-Length: 0", "Content-Length: 0"),
        BAD,
        HEADER.format("'CONTENT-LENGTH'"),
    ),
    "length list": (field("Content-Length: 1, 1"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length sign": (field("Content-Length: +1"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length negative": (field("Content-Length: -1"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length hex": (field("Content-Length: 0x1"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length underscore": (field("Content-Length: 1_0"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length empty": (field("Content-Length:"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length superscript": (field("Content-Length: \xb2"), BAD, HEADER.format("'CONTENT-LENGTH'")),
    "length and chunked": (
        get("/", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
        BAD,
        HEADER.format("'CONTENT-LENGTH'"),
    ),
    "chunked twice": (
        field("Transfer-Encoding: chunked, chunked"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "chunked in two fields": (
        get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "chunked not last": (
        field("Transfer-Encoding: chunked, gzip"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "not chunked at all": (
        field("Transfer-Encoding: gzip"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "identity after chunked": (
        field("Transfer-Encoding: chunked, identity"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "chunked in http/1.0": (
        get("/", "Transfer-Encoding: chunked", method="POST", version="1.0") + chunked(b"a"),
        BAD,
        HEADER.format("'TRANSFER-ENCODING'"),
    ),
    "expectation": (
        field("Expect: 200-ok"),
        (417, "Expectation Failed"),
        "Unable to comply with expectation: '200-ok'",
    ),
    # Limits, with the default settings
    "line too long": (
        head("GET /" + "a" * 5000 + " HTTP/1.1"),
        LONG,
        "Request Line is too large (5014 > 4094)",
    ),
    "field too long": (
        field("X: " + "a" * 8200),
        FIELDS,
        "Error parsing headers: 'limit request headers fields size'",
    ),
    "too many fields": (
        get("/", *[f"X-{i}: v" for i in range(100)]),
        FIELDS,
        "Error parsing headers: 'limit request headers fields'",
    ),
    # Chunks, found out when the app reads
    "chunk size": (
        CHUNKED + b"zz\r\nab\r\n0\r\n\r\n",
        BAD,
        "Invalid chunk size: b'zz'",
    ),
    "chunk size sign": (CHUNKED + b"+2\r\nab\r\n0\r\n\r\n", BAD, "Invalid chunk size: b'+2'"),
    "chunk size 0x": (CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n", BAD, "Invalid chunk size: b'0x2'"),
    "chunk size underscore": (CHUNKED + b"1_0\r\nab", BAD, "Invalid chunk size: b'1_0'"),
    "chunk size empty": (CHUNKED + b"\r\nab\r\n0\r\n\r\n", BAD, "Invalid chunk size: b''"),
    "chunk too long": (
        CHUNKED + b"2\r\nabbb\r\n0\r\n\r\n",
        BAD,
        r"Invalid chunk terminator is not '\r\n': b'bb'",
    ),
    "chunk extension cr": (
        CHUNKED + b"2;a\rb\r\nab\r\n0\r\n\r\n",
        BAD,
        "Invalid chunk extension: bare CR not allowed",
    ),
    "forbidden trailer": (
        CHUNKED + b"0\r\nContent-Length: 1\r\n\r\n",
        BAD,
        NAME.format("'CONTENT-LENGTH'"),
    ),
    "folded trailer": (
        CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n",
        BAD,
        "Obsolete line folding is unacceptable: 'X'",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_refused(server: Server, name: str) -> None:
    raw, (status, reason), message = MALFORMED[name]
    workers = server.workers()
    answer = exchange(server.address, raw)
    same(answer, error_response(status, reason, message))
    assert server.workers() == workers
    assert b"Hello" in exchange(server.address, get("/hello"))


@pytest.mark.gunicorn_bug("blames the field before it, unless the bytes come slowly")
def test_bare_lf_in_a_field(server: Server) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"
    words = HEADER.format("'bare LF as line terminator'")
    same(exchange(server.address, raw), error_response(400, "Bad Request", words))


@pytest.mark.gunicorn_bug("the reason phrase of 501 is `Bad Request`")
def test_unsupported_coding(server: Server) -> None:
    same(
        exchange(server.address, field("Transfer-Encoding: br, chunked")),
        error_response(501, "Not Implemented", "Unsupported transfer coding: 'br, chunked'"),
    )


@pytest.mark.ours("Gunicorn needs a package for `fast`")
@pytest.mark.parametrize("parser", ["fast", "python"])
def test_every_http_parser_is_the_same(kitchen: Kitchen, parser: str) -> None:
    server = kitchen(http_parser=parser)
    bad = exchange(server.address, head("GET / x HTTP/1.1"))
    same(bad, error_response(*BAD, VERSION.format("'x HTTP/1.1'")))
    assert b"Hello" in exchange(server.address, get("/hello"))
