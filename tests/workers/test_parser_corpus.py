"""The parser and the response that worker classes in Python use, in this process: the corpus of
tests/corpus, and what is said of requests that come in pieces.

The same cases go through floor 0 in `tests/corpus.rs`: one protocol brain.
"""

from __future__ import annotations

import html
import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.compare import same
from rgunicorn import util
from rgunicorn.config import Config
from rgunicorn.http import get_parser, wsgi
from rgunicorn.http.body import Body, EOFReader, LengthReader
from rgunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName, NoMoreData
from rgunicorn.http.message import Request
from rgunicorn.http.parser import RequestParser
from rgunicorn.http.unreader import IterUnreader, SocketUnreader
from rgunicorn.workers.refusal import refusal

CORPUS = Path(__file__).parents[1] / "corpus"
SERVER = ("127.0.0.1", 80)


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CORPUS / f"{name}.json").read_text())
    assert len(found) > 100
    return found


def raw_bytes(raw: str | list[Any]) -> bytes:
    parts = [raw] if isinstance(raw, str) else raw
    return "".join(p if isinstance(p, str) else p[0] * p[1] for p in parts).encode("latin-1")


def config(settings: dict[str, Any]) -> Config:
    cfg = Config()
    for name, value in settings.items():
        cfg.set(name, value)
    return cfg


def whole(raw: bytes) -> list[bytes]:
    return [raw]


def bytewise(raw: bytes) -> list[bytes]:
    return [raw[i : i + 1] for i in range(len(raw))]


def halves(raw: bytes) -> list[bytes]:
    return [raw[: len(raw) // 2], raw[len(raw) // 2 :]]


@pytest.mark.parametrize("split", [whole, halves, bytewise])
def test_requests_of_the_corpus(split: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = []
    for case in cases("requests"):
        monkeypatch.delenv("SCRIPT_NAME", raising=False)
        for name, value in case.get("env", {}).items():
            monkeypatch.setenv(name, value)
        expected = without_size(case["expect"])
        for request in expected["requests"]:
            # One that leaves the peer as it is (LOCAL, UNKNOWN) tells hooks nothing.
            if request.get("proxy", [""])[1:] == [None] * 4:
                del request["proxy"]
        seen = without_size(served(case, split))
        if seen != expected:
            wrong.append(f"{case['name']}\n  seen     {seen}\n  expected {expected}")
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong[:20])


def without_size(outcome: dict[str, Any]) -> dict[str, Any]:
    """How much of a line that is too long was there depends on the pieces it came in."""
    if outcome.get("error") != "LimitRequestLine":
        return outcome
    cut = {key: re.sub(r"\(\d+ >", "(? >", outcome[key]) for key in ("log", "message")}
    return outcome | cut


def served(case: dict[str, Any], split: Any) -> dict[str, Any]:
    cfg = config(case.get("settings", {}))
    address = case.get("peer", "127.0.0.1")
    peer = "" if address == "unix" else (address, 40000)
    result: dict[str, Any] = {"requests": []}
    try:
        for req in RequestParser(cfg, iter(split(raw_bytes(case["raw"]))), peer):
            seen = described(cfg, req, peer)
            result["requests"].append(seen)
            body = read_body(req)
            seen |= {"body": body} if len(body) <= 200 else {"body_length": len(body)}
            if req.trailers:
                seen["trailers"] = [list(field) for field in req.trailers]
    except NoMoreData:
        result["incomplete"] = True
    except Exception as exc:
        answer = refusal(exc)
        assert answer is not None, exc
        status, _, message = answer
        # As the page shows it: the corpus was recorded from pages.
        result |= {"error": type(exc).__name__, "status": status, "log": str(exc)}
        result["message"] = html.unescape(html.escape(message))
    return result


def described(cfg: Config, req: Any, peer: Any) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _, environ = wsgi.create(req, ours, peer, SERVER, cfg)
        ours.shutdown(socket.SHUT_WR)
        interim = theirs.recv(100)
    assert interim in (b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    seen = {
        "method": req.method,
        "target": req.uri,
        "version": list(req.version),
        "scheme": req.scheme,
        "script_name": environ["SCRIPT_NAME"],
        "path_info": environ["PATH_INFO"],
        "query": req.query,
        "headers": [list(field) for field in req.headers],
        "keep_alive": not req.should_close(),
        "expect_continue": req.expects_continue,
    }
    if info := req.proxy_protocol_info:
        keys = ("proxy_protocol", "client_addr", "client_port", "proxy_addr", "proxy_port")
        seen["proxy"] = [info[key] for key in keys]
    return seen


def read_body(req: Any) -> str:
    pieces = []
    try:
        while data := req.body.read(1000):
            pieces.append(data)
    except NoMoreData as exc:
        # The corpus has Gunicorn's short end where a body with a length stops early.
        if not isinstance(req.body_reader, LengthReader):
            raise
        pieces.append(exc.buf)
    return b"".join(pieces).decode("latin-1")


class Wired:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)


def view(case: dict[str, Any]) -> Request:
    request = Request()
    request.method, request.version = case["method"], tuple(case["version"])
    request._keep_alive = case["keep_alive"]
    return request


def test_responses_of_the_corpus() -> None:
    logging.getLogger("gunicorn.http.wsgi").disabled = True
    wrong = []
    for case in cases("responses"):
        sock = Wired()
        resp = wsgi.Response(view(case), sock, Config())
        try:
            resp.start_response(case["status"], [tuple(field) for field in case["headers"]])
            for piece in case["pieces"]:
                resp.write(piece.encode("latin-1"))
            resp.close()
        except (ValueError, InvalidResponseHeader, InvalidResponseHeaderName) as exc:
            seen = {"error": type(exc).__name__, "text": str(exc)}
        else:
            wire = re.sub(r"Date: [^\r]*", "Date: DATE", sock.sent.decode("latin-1"))
            wire = wire.replace("Server: rgunicorn", "Server: gunicorn", 1)
            seen = {"wire": wire, "keep_alive": not resp.should_close()}
        if seen != case["expect"]:
            wrong.append(f"{case['name']}\n  seen     {seen}\n  expected {case['expect']}")
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong[:20])


def requests(*pieces: bytes, **settings: Any) -> Iterator[Request]:
    return RequestParser(config(settings), iter(pieces), ("127.0.0.1", 1))


def test_what_a_request_has() -> None:
    (req,) = requests(b"PUT /a%20b;c?d=e#f HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    same(
        [req.method, req.uri, req.path, req.query, req.fragment, req.version],
        ["PUT", "/a%20b;c?d=e#f", "/a%20b;c", "d=e", "f", (1, 1)],
    )
    same(req.headers, [("HOST", "x"), ("CONTENT-LENGTH", "2")])
    same([req.peer_addr, req.remote_addr, req.req_number], [("127.0.0.1", 1)] * 2 + [1])
    assert req.proxy_protocol_info is None


def test_a_body_that_nobody_reads_is_not_the_next_request() -> None:
    first = b"POST /1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /"
    chunked = b"POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n"
    found = [req.uri for req in requests(first, chunked + b"GET /3 HTTP/1.1\r\n\r\n")]
    same(found, ["/1", "/2", "/3"])
    large = b"POST /1 HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    # More than is read for nobody.
    same([req.uri for req in requests(large, b"GET /2 HTTP/1.1\r\n\r\n")], ["/1"])


def test_proxy_information_stays_with_the_connection() -> None:
    preamble = b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n"
    found = requests(preamble, b"GET / HTTP/1.1\r\n\r\n" * 2, proxy_protocol="v1")
    infos = [req.proxy_protocol_info for req in found]
    assert infos[0]["client_addr"] == "203.0.113.9"
    assert infos[1] == infos[0]


def test_a_parse_error_has_the_request_that_was_understood() -> None:
    with pytest.raises(Exception, match="CONTENT-LENGTH") as caught:
        next(requests(b"POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n"))
    assert caught.value.req.uri == "/x"
    with pytest.raises(Exception, match="Invalid HTTP Version") as caught:
        next(requests(b"GET / HTTP/2.0\r\n\r\n"))
    assert not hasattr(caught.value, "req")


def test_a_body_cut_short_raises() -> None:
    req = next(requests(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"))
    assert req.body.read(2) == b"ab"
    with pytest.raises(NoMoreData, match="No more data after: b'c'"):
        req.body.read()


def test_data_before_a_broken_chunk_comes_first() -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    (req,) = [next(requests(head + b"3\r\nabc\r\nzz\r\n"))]
    assert req.body.read(3) == b"abc"
    with pytest.raises(Exception, match="Invalid chunk size"):
        req.body.read(1)


def test_lines_of_a_body() -> None:
    def body() -> Body:
        return Body(EOFReader(IterUnreader([b"a\n", b"", b"bc", b"d\ne"])))

    same(body().readlines(), [b"a\n", b"bcd\n", b"e"])
    same(list(body()), [b"a\n", b"bcd\n", b"e"])
    same(
        [body().readline(0), body().read(0), body().read(), body().read(-1)],
        [
            b"",
            b"",
            b"a\nbcd\ne",
            b"a\nbcd\ne",
        ],
    )
    mixed = body()
    same(
        [mixed.readline(1), mixed.read(2), mixed.readline(2), mixed.readline(), mixed.read()],
        [
            b"a",
            b"\nb",
            b"cd",
            b"\n",
            b"e",
        ],
    )
    with pytest.raises(TypeError):
        body().read("1")  # type: ignore[arg-type]


def test_unreaders() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"hello world")
        reader = SocketUnreader(ours, 4)
        same([reader.read(2), reader.read(), reader.read(3)], [b"he", b"ll", b"o w"])
        reader.unread(b"w")
        theirs.close()
        same([reader.read(), reader.read(10), reader.read()], [b"wo", b"rld", b""])


def test_a_constructed_request_reads_itself_and_gives_the_rest_back() -> None:
    unreader = IterUnreader([b"GET /a HTTP/1.1\r\n\r\nrest"])
    req = Request(Config(), unreader, ("127.0.0.1", 1))
    assert (req.uri, unreader.read()) == ("/a", b"rest")


def test_what_default_headers_leaves_out_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    original = wsgi.Response.default_headers

    def quiet(self: Any) -> list[str]:
        return [line for line in original(self) if not line.startswith("Server:")] + ["X-A: b\r\n"]

    monkeypatch.setattr(wsgi.Response, "default_headers", quiet)
    monkeypatch.setattr(util, "http_date", lambda: "DATE")
    sock = Wired()
    resp = wsgi.Response(
        view({"method": "GET", "version": (1, 1), "keep_alive": True}), sock, Config()
    )
    resp.start_response("200 OK", [("Content-Length", "2")])
    resp.write(b"hi")
    head = sock.sent.partition(b"\r\nDate")[0], sock.sent.partition(b"GMT\r\n")[2]
    same(
        head,
        (b"HTTP/1.1 200 OK", b"Connection: keep-alive\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi"),
    )


def test_http2_is_refused() -> None:
    cfg = config({})
    with pytest.raises(Exception, match="HTTP/2 is not built"):
        get_parser(cfg, iter([]), "", http2_connection=True)
    assert isinstance(get_parser(cfg, iter([]), ""), RequestParser)
