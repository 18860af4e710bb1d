"""Packets that are refused, with the words, and packets that are not."""

from __future__ import annotations

import json
from typing import Any

from harness.server import Server
from harness.uwsgi import packet, request
from harness.wire import Wire

BAD = [
    ("modifier", packet({}, modifier1=5), 501, "Unsupported uWSGI modifier1: 5"),
    ("HTTP", b"GET / HTTP/1.1\r\n\r\n", 501, "Unsupported uWSGI modifier1: 71"),
    ("empty", packet({}), 400, "Invalid uWSGI header: no REQUEST_METHOD"),
    (
        "no path",
        packet({"REQUEST_METHOD": "GET"}),
        400,
        "Invalid uWSGI header: neither PATH_INFO nor REQUEST_URI",
    ),
    ("empty name", request("/", **{"": "x"}), 400, "Invalid uWSGI header: empty key"),
    ("name size", b"\0\1\0\0\5", 400, "Invalid uWSGI header: truncated key size"),
    ("name", b"\0\5\0\0\x09\0abc", 400, "Invalid uWSGI header: truncated key"),
    ("value size", b"\0\4\0\0\1\0a\1", 400, "Invalid uWSGI header: truncated value size"),
    ("value", b"\0\7\0\0\1\0a\xff\xffbc", 400, "Invalid uWSGI header: truncated value"),
    (
        "1001 variables",
        packet({f"K{n}": "" for n in range(1001)}),
        400,
        "Invalid uWSGI header: too many variables",
    ),
    (
        "a body of no length",
        request("/", CONTENT_LENGTH=None, HTTP_TRANSFER_ENCODING="chunked"),
        400,
        "Invalid uWSGI header: no CONTENT_LENGTH, but a body",
    ),
    (
        "a length nobody promised",
        request("/", CONTENT_LENGTH=None, HTTP_CONTENT_LENGTH="5"),
        400,
        "Invalid uWSGI header: no CONTENT_LENGTH, but a body",
    ),
    *(
        (f"length {length}", request("/", CONTENT_LENGTH=length), 400, "'CONTENT-LENGTH'")
        for length in ("-1", "+1", "x", "1 2", "0x5", "99999999999999999999", "\xb2")
    ),
    (
        "two lengths",
        packet(
            [
                ("REQUEST_METHOD", "GET"),
                ("PATH_INFO", "/"),
                ("CONTENT_LENGTH", "1"),
                ("CONTENT_LENGTH", "2"),
            ]
        ),
        400,
        "'CONTENT-LENGTH'",
    ),
    ("two hosts", request("/", HTTP_HOST="a", HTTP_host="b"), 400, "'HOST'"),
    ("CRLF in a header", request("/", HTTP_X="a\r\nX-Y: b"), 400, "'HTTP_X'"),
    ("NUL in a header", request("/", HTTP_X="a\0b"), 400, "'HTTP_X'"),
    ("a header's name", request("/", **{"HTTP_A B": "x"}), 400, "header name: 'A B'"),
    ("CRLF in the query", request("/", QUERY_STRING="a\r\nb"), 400, "'QUERY_STRING'"),
    ("NUL in the URI", request("/", REQUEST_URI="/\0"), 400, "'REQUEST_URI'"),
    ("method", request("/", REQUEST_METHOD="get"), 400, "Invalid HTTP method: 'get'"),
    ("CRLF in the method", request("/", REQUEST_METHOD="GET\r\n"), 400, "'REQUEST_METHOD'"),
    ("version", request("/", SERVER_PROTOCOL="HTTP/11"), 400, "Invalid HTTP Version"),
]

GOOD = {
    "plain": request("/environ/a%20b?x=%201"),
    "a body": request(
        "/x", b"body", CONTENT_TYPE="a/b", HTTP_CONTENT_TYPE="a/b", HTTP_CONTENT_LENGTH="4"
    ),
    "parameters": request(
        "/x", REMOTE_USER="anna", AUTH_TYPE="Basic", HTTPS="on", foo="bar", né="v\xe9"
    ),
    "headers": request("/x", HTTP_X_Y="v\xe9 ", HTTP_SCRIPT_NAME="/y", HTTP_EXPECT="100-continue"),
    "path decoded": request("/x/%2541", PATH_INFO="/x/%41"),
    "path to decode": request("/x/%2541?y", PATH_INFO=None, QUERY_STRING=None),
    "no URI": request("/x", REQUEST_URI=None, QUERY_STRING="a=b"),
    "mount": request("/app/x", SCRIPT_NAME="/app/"),
    "mount alone": request("/app", SCRIPT_NAME="/app"),
    "mount cut": request("/app/app/x", PATH_INFO="/app/x", SCRIPT_NAME="/app"),
    "root": request("/x", SCRIPT_NAME="/"),
    "scheme": request("/x", REQUEST_SCHEME="https"),
    "version": request("/x", SERVER_PROTOCOL="HTTP/2.0"),
    "address alone": request("/x", REMOTE_ADDR="2001:db8::9", REMOTE_PORT=None),
    "nothing said": packet({"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "REMOTE_ADDR": ""}),
    "unsure": request("/x", CONTENT_LENGTH=None, HTTP_CONNECTION="upgrade"),
    "forged": request(
        "/x",
        **dict.fromkeys(
            ("wsgi.input", "wsgi.errors", "gunicorn.socket", "rgunicorn.x", "RAW_URI"), "forged"
        ),
    ),
    "again": packet(
        [
            *(("REQUEST_METHOD", "GET"), ("PATH_INFO", "/no"), ("PATH_INFO", "/x")),
            *(("HTTP_X", "1"), ("HTTP_X", " 2\t"), ("A", "first"), ("A", "second")),
            *(("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "0"), ("CONTENT_TYPE", "a/b")),
        ]
    ),
}


def environ_of(server: Server, raw: bytes) -> dict[str, Any]:
    """What `apps/environ.py` says of the environ that a packet became: type and value by key.

    So that it can be compared with another worker's: without what objects are made of, and which
    ports a connection has whose packet does not say.
    """
    with Wire(server.address) as wire:
        response = wire.send(raw).response()
    assert response.status == 200, response
    found: dict[str, Any] = json.loads(response.body)
    for key in ("REMOTE_PORT", "SERVER_PORT"):
        if key in found and found[key][1] not in ("4711", "8080"):
            found[key] = "of the connection"
    return {
        key: "an object" if key.islower() and value[1] is None else value
        for key, value in found.items()
    }
