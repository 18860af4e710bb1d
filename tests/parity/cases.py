"""The requests both servers get: our own list and the corpus of the Rust tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.server import TESTS
from harness.uwsgi import request
from harness.wire import chunked, get, post
from parity.differences import CORPUS_DIFFERENCES

CORPUS = TESTS / "corpus/requests.json"


@dataclass(frozen=True)
class Case:
    """One request. `difference` names the row of differences.py that makes the answers differ."""

    name: str
    raw: bytes
    settings: dict[str, object] = field(default_factory=dict)
    difference: str | None = None
    differs_in: str | None = None
    """The worker class that has `difference`; None: both."""
    env: dict[str, str] = field(default_factory=dict)
    app: str = "kitchen:app"
    transport: str | None = None
    """The one it is about; None: both."""
    source: str = "127.0.0.1"
    """The client's address. Only 127.0.0.1 is trusted by default."""
    status: int | None = None
    """What rgunicorn must answer where `difference` does not have to be visible on the wire."""


OWN = [
    Case("hello", get("/hello")),
    Case("hello 1.0", get("/hello", version="1.0")),
    Case("hello keep-alive asked", get("/hello", "Connection: keep-alive")),
    Case("head", get("/hello", method="HEAD")),
    Case("stream", get("/stream")),
    Case("stream 1.0", get("/stream", version="1.0")),
    Case("stream head", get("/stream", method="HEAD")),
    Case("empty", get("/empty")),
    Case("write", get("/write")),
    Case("extra fields", get("/extra")),
    Case("hop-by-hop", get("/hop")),
    Case("too long", get("/long")),
    Case("too short", get("/short")),
    Case("204", get("/status?s=204+No+Content")),
    Case("304", get("/status?s=304+Not+Modified")),
    Case("204 with a body", get("/body-204?s=204+No+Content")),
    Case("304 with a body", get("/body-204?s=304+Not+Modified")),
    Case("205", get("/status?s=205+Reset+Content")),
    Case("102", get("/102")),
    Case("early hints", get("/early")),
    Case("early hints 1.0", get("/early", version="1.0")),
    Case("file", get("/file")),
    Case("file chunked", get("/file?chunked")),
    Case("file from offset", get("/file-offset?o=1000")),
    Case("file at its end", get("/file-offset?o=300003"), difference="sendfile-empty"),
    Case("file-like", get("/file-like")),
    Case("echo", post("/echo", b"body")),
    Case(
        "echo chunked",
        get("/echo", "Transfer-Encoding: chunked", method="POST") + chunked(b"a", b"bc"),
    ),
    Case(
        "echo with trailers",
        get("/echo", "Transfer-Encoding: chunked", method="POST")
        + chunked(b"a", trailers=b"X-Late: 1\r\n"),
    ),
    Case(
        "expect", get("/echo", "Expect: 100-continue", "Content-Length: 2", method="POST") + b"ok"
    ),
    Case("raise", get("/raise")),
    Case("raise late", get("/raise-late")),
    Case("raise in iterator", get("/raise-iter")),
    Case("start twice", get("/twice")),
    Case("start twice late", get("/twice?late")),
    Case("no start_response", get("/no-start"), difference="no-start-response", differs_in="sync"),
    Case("exc_info", get("/exc_info"), difference="exc-info-headers"),
    Case("system exit", get("/exit?code=5"), difference="gthread-exit", differs_in="gthread"),
    Case("not bytes", get("/not-bytes"), difference="not-bytes"),
    Case("bad status", get("/start?status-word")),
    Case("bad header name", get("/start?name-blank")),
    Case("bad header value", get("/start?value-crlf")),
    Case(
        "unsupported coding",
        get("/", "Transfer-Encoding: br, chunked", method="POST"),
    ),
    Case("outside of SCRIPT_NAME", get("/", "SCRIPT_NAME: /foo")),
    Case("websocket upgrade", get("/hello", "Connection: Upgrade", "Upgrade: websocket")),
    Case("connect", b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    Case("lower case", b"get /hello HTTP/1.1\r\n\r\n", {"casefold_http_method": True}),
    Case(
        "odd method",
        b"g#t /hello HTTP/1.1\r\n\r\n",
        {"permit_unconventional_http_method": True},
    ),
    Case(
        "odd version", b"GET /hello HTTP/2.0\r\n\r\n", {"permit_unconventional_http_version": True}
    ),
    Case("folding", get("/environ", "X-Fold: a\r\n b\r\n\tc"), {"permit_obsolete_folding": True}),
    Case("spaced name", get("/environ", "X-Space : v"), {"strip_header_spaces": True}),
    Case("line at its limit", get("/" + "a" * 85), {"limit_request_line": 100}),
    Case("line over its limit", get("/" + "a" * 90), {"limit_request_line": 100}),
    Case("fields at their limit", get("/environ", "A: 1", "B: 2"), {"limit_request_fields": 3}),
    Case("fields over it", get("/environ", "A: 1", "B: 2", "C: 3"), {"limit_request_fields": 3}),
    Case("field at its limit", get("/environ", "A: " + "b" * 45), {"limit_request_field_size": 50}),
    Case("field over it", get("/environ", "A: " + "b" * 46), {"limit_request_field_size": 50}),
    Case("no limit on the line", get("/" + "a" * 20_000), {"limit_request_line": 0}),
]

UWSGI = {"protocol": "uwsgi"}


def packet(path: str, body: bytes | None = None, **more: str | None) -> bytes:
    """The only packet of its connection: Gunicorn's gthread takes the end of one that is kept for
    a bad packet."""
    return request(path, body, HTTP_CONNECTION="close", **more)


PACKETS = [
    Case("uwsgi hello", packet("/hello"), UWSGI),
    Case("uwsgi pipelined", request("/hello") + packet("/echo", b"body"), UWSGI),
    Case("uwsgi kept", request("/hello"), UWSGI, "uwsgi-refusals", "gthread"),
    Case("uwsgi echo", packet("/echo", b"body"), UWSGI),
    Case("uwsgi stream", packet("/stream"), UWSGI),
    Case("uwsgi 204", packet("/status?s=204+No+Content"), UWSGI),
    Case("uwsgi too long", packet("/long"), UWSGI),
    Case("uwsgi file", packet("/file"), UWSGI),
    Case("uwsgi raise", packet("/raise"), UWSGI),
    Case("uwsgi raise late", packet("/raise-late"), UWSGI),
    Case("uwsgi expect", packet("/echo", b"ok", HTTP_EXPECT="100-continue"), UWSGI),
    Case("uwsgi allowed", packet("/hello"), {**UWSGI, "uwsgi_allow_ips": "127.0.0.1"}),
    Case("uwsgi environ", packet("/environ"), UWSGI, "uwsgi-variables"),
    Case("uwsgi path", packet("/%2541", PATH_INFO="/%41"), UWSGI, "uwsgi-path"),
    Case("uwsgi mount", packet("/m/a", SCRIPT_NAME="/m"), UWSGI, "uwsgi-mount"),
    Case("uwsgi header name", packet("/a", **{"HTTP_X ": "2"}), UWSGI, "uwsgi-strict"),
    Case("uwsgi modifier", b"\5\0\0\0", UWSGI, "uwsgi-refusals"),
    Case("uwsgi length", packet("/hello", CONTENT_LENGTH="x"), UWSGI, "uwsgi-strict"),
    Case(
        "uwsgi no length",
        request("/hello", CONTENT_LENGTH=None),
        UWSGI,
        "uwsgi-unsure-length",
        "gthread",
    ),
    Case("uwsgi early hints", packet("/early"), UWSGI, "uwsgi-early-hints"),
    Case(
        "uwsgi not allowed",
        packet("/hello"),
        {**UWSGI, "uwsgi_allow_ips": "192.0.2.1"},
        "uwsgi-refusals",
        transport="tcp",
    ),
]


# In the corpus a peer is just an address; here it must be one a client can have on this machine.
SOURCES = {"127.0.0.1": "127.0.0.1", "203.0.113.9": "127.0.0.2"}
ADDRESS_SETTINGS = {"forwarded_allow_ips", "proxy_allow_ips"}


def corpus() -> Iterator[Case]:
    """The Rust tests' requests; tests/corpus/README.md describes the file."""
    if not CORPUS.exists():
        return
    for entry in json.loads(CORPUS.read_text()):
        peer = entry.get("peer", "127.0.0.1")
        settings = entry.get("settings", {})
        if peer != "unix" and peer not in SOURCES:
            continue
        if peer not in ("unix", "127.0.0.1") and settings.keys() & ADDRESS_SETTINGS:
            continue
        sentence = entry.get("difference")
        expect = entry["expect"]
        yield Case(
            f"corpus: {entry['name']}",
            b"".join(pieces(entry["raw"])),
            settings,
            named_difference(entry["name"]) or CORPUS_DIFFERENCES.get(sentence, sentence),
            env=entry.get("env", {}),
            app="environ:with_body",
            transport="unix" if peer == "unix" else "tcp",
            source=SOURCES.get(peer, ""),
            status=expect.get("status", 200) if not expect.get("incomplete") else None,
        )


# The corpus knows what the parser says; these differ in what the servers make of it.
BY_NAME = {"chunked/eof-": "cut-body", "proxy/v2-local": "proxy-local"}


def named_difference(name: str) -> str | None:
    return next((id for start, id in BY_NAME.items() if name.startswith(start)), None)


def pieces(raw: str | list[object]) -> Iterator[bytes]:
    for piece in [raw] if isinstance(raw, str) else raw:
        text, count = (piece, 1) if isinstance(piece, str) else piece  # type: ignore[misc]
        yield text.encode("latin-1") * count


CASES = {case.name: case for case in (*OWN, *PACKETS, *corpus())}
