"""What a file is answered with, and what is left to the application."""

from __future__ import annotations

import email.utils
import gzip
import os
import time
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.shift import Shift, Start
from harness.wire import Response, Wire, get, post

CSS = b"body { color: teal }\n" * 40

pytestmark = pytest.mark.ours("static_map")


def ask(shift: Shift, path: str, *headers: str, method: str = "GET") -> Response:
    with Wire(shift.address) as wire:
        return wire.send(get(path, *headers, method=method)).response(method)


def is_apps(response: Response) -> bool:
    return response.header("X-Worker") is not None


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_whole_answer(shared: Start, kind: Kind, site: Path) -> None:
    response = ask(shared(kind), "/static/plain.txt")
    stat = (site / "www" / "plain.txt").stat()
    names = [name for name, _ in response.headers]
    assert names == [
        *("Server", "Date", "Connection", "Last-Modified", "ETag", "Accept-Ranges"),
        *("Content-Type", "X-Content-Type-Options", "Content-Length"),
    ]
    assert response.status_line == "HTTP/1.1 200 OK"
    assert response.body == b"0123456789"
    assert response.header("Last-Modified") == email.utils.formatdate(stat.st_mtime, usegmt=True)
    seconds, nanoseconds = divmod(stat.st_mtime_ns, 10**9)
    assert response.header("ETag") == f'"{seconds:x}.{nanoseconds:x}-a"'
    assert response.header("X-Content-Type-Options") == "nosniff"
    keeps = "keep-alive" if kind.keeps_alive else "close"
    assert response.header("Connection") == keeps


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.txt", "text/plain; charset=utf-8"),
        ("x.css", "text/css; charset=utf-8"),
        ("stale.js", "text/javascript; charset=utf-8"),
        ("deep/er/y.woff2", "font/woff2"),
        ("pic.PNG", "image/png"),
        ("noext", "application/octet-stream"),
        ("only.txt.gz", "application/gzip"),
        (".well-known/acme", "application/octet-stream"),
        ("a%20b%C3%A9%25.html", "text/html; charset=utf-8"),
        ("empty.txt", "text/plain; charset=utf-8"),
    ],
)
def test_types(shared: Start, name: str, expected: str) -> None:
    response = ask(shared(), f"/static/{name}")
    assert (response.status, response.header("Content-Type")) == (200, expected)
    assert response.header("Vary") == ("Accept-Encoding" if name == "x.css" else None)
    assert response.header("Content-Encoding") is None


def test_head_is_a_get_without_the_body(shared: Start) -> None:
    with Wire(shared().address) as wire:
        whole = wire.send(get("/static/big.bin")).response()
        head = wire.send(get("/static/big.bin", method="HEAD")).response("HEAD")
        # Ranges are for GET.
        ranged = wire.send(get("/static/big.bin", "Range: bytes=0-1", method="HEAD"))
        assert ranged.response("HEAD").status == 200
        after = wire.send(get("/static/plain.txt")).response()
    fields = [(name, value) for name, value in whole.headers if name != "Date"]
    assert [(name, value) for name, value in head.headers if name != "Date"] == fields
    assert (head.header("Content-Length"), head.body) == ("3000001", b"")
    assert after.body == b"0123456789"


@pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])
def test_a_large_file_arrives_as_it_is(shared: Start, transport: str, site: Path) -> None:
    expected = (site / "www" / "big.bin").read_bytes()
    shift = shared(kinds.GTHREAD, transport)
    with Wire(shift.address) as wire:
        for _ in range(2):
            assert wire.send(get("/static/big.bin")).response().body == expected
        part = wire.send(get("/static/big.bin", "Range: bytes=1000000-2500000")).response()
    assert (part.status, part.body) == (206, expected[1_000_000:2_500_001])
    assert part.header("Content-Range") == "bytes 1000000-2500000/3000001"


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_without_sendfile(shared: Start, transport: str, site: Path) -> None:
    expected = (site / "www" / "big.bin").read_bytes()
    with Wire(shared(kinds.GTHREAD, transport, sendfile=False).address) as wire:
        for _ in range(2):
            assert wire.send(get("/static/big.bin")).response().body == expected
        part = wire.send(get("/static/big.bin", "Range: bytes=7-2500000")).response()
    assert (part.status, part.body) == (206, expected[7:2_500_001])


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"not really brotli"),
        ("gzip", "gzip", None),
        ("br;q=0.1, gzip;q=0.2", "gzip", None),
        ("br;q=0, *;q=0.5", "gzip", None),
        ("identity", None, CSS),
        ("gzip;q=0.5, identity", None, CSS),
        ("zstd", None, CSS),
        ("", None, CSS),
    ],
)
def test_precompressed_forms(
    shared: Start, accept: str, coding: str | None, body: bytes | None
) -> None:
    response = ask(shared(), "/static/x.css", f"Accept-Encoding: {accept}")
    assert (response.header("Content-Encoding"), response.status) == (coding, 200)
    assert (gzip.decompress(response.body) if body is None else response.body) == (body or CSS)
    assert response.header("Vary") == "Accept-Encoding"
    assert response.header("Content-Type") == "text/css; charset=utf-8"
    tag = response.header("ETag") or ""
    assert tag.endswith(f'-{coding}"' if coding else '"')
    again = ask(shared(), "/static/x.css", f"Accept-Encoding: {accept}", f"If-None-Match: {tag}")
    assert (again.status, again.header("ETag")) == (304, tag)
    assert again.header("Vary") == "Accept-Encoding"


def test_each_form_has_a_tag_of_its_own(shared: Start) -> None:
    tags = {
        ask(shared(), "/static/x.css", f"Accept-Encoding: {accept}").header("ETag")
        for accept in ("br", "gzip", "identity")
    }
    assert len(tags) == 3


def test_a_form_that_is_older_than_its_file_was_forgotten(shared: Start) -> None:
    response = ask(shared(), "/static/stale.js", "Accept-Encoding: gzip")
    assert response.body == b"let a = 1\n"
    assert [response.header(name) for name in ("Content-Encoding", "Vary")] == [None, None]


def test_a_file_that_has_just_changed_has_a_weak_tag(shared: Start, site: Path) -> None:
    """It may change again without another time stamp, so no part of it is added to another."""
    path = site / "www" / "fresh.txt"
    path.write_bytes(b"fresh")
    try:
        # Not more than a second can have passed, however slow the machine is.
        ahead = time.time() + 3600
        os.utime(path, (ahead, ahead))
        later = ask(shared(), "/static/fresh.txt")
        os.utime(path)
        now = ask(shared(), "/static/fresh.txt")
        took = time.time() - path.stat().st_mtime
    finally:
        path.unlink()
    # RFC 9110 section 8.8.2.1: never later than Date.
    assert later.header("Last-Modified") == later.header("Date")
    if took < 1:
        tag = now.header("ETag") or ""
        assert tag.startswith("W/")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_the_applications(shared: Start, method: str) -> None:
    with Wire(shared().address) as wire:
        response = wire.send(post("/static/plain.txt", b"x", method=method)).response(method)
    assert is_apps(response)


@pytest.mark.parametrize(
    "path",
    [
        *("/static", "/static/", "/static/deep", "/static/deep/", "/static/nothing.css"),
        *("/static/plain.txt/", "/static/plain.txt/x", "/staticfoo/plain.txt", "/plain.txt", "/"),
        *("/static/only.txt", "/STATIC/plain.txt", "/static/.env", "/static/.git/config"),
        "/static/" + "x" * 300,
    ],
)
def test_what_is_no_file_is_the_applications(shared: Start, path: str) -> None:
    response = ask(shared(), path)
    assert is_apps(response)


def test_a_body_with_a_get_is_read_and_forgotten(shared: Start) -> None:
    with Wire(shared().address) as wire:
        for _ in range(3):
            wire.send(post("/static/plain.txt", b"x" * 100_000, method="GET"))
            assert wire.response().body == b"0123456789"
        assert is_apps(wire.send(get("/hello")).response())


def test_the_longest_prefix_counts(shared: Start, site: Path) -> None:
    shift = shared(static_map=[f"/={site}/www/deep", f"/a={site}", f"/a/b/={site}/www"])
    assert ask(shift, "/a/b/plain.txt").body == b"0123456789"
    assert ask(shift, "/a/secret").body == b"secret"
    assert ask(shift, "/er/y.woff2").body == b"font"
    # A longer one that has no such file does not fall back on a shorter one.
    assert is_apps(ask(shift, "/a/b/secret"))
    assert is_apps(ask(shift, "/"))


def test_below_script_name(shared: Start) -> None:
    shift = shared(forwarded_allow_ips="*", forwarder_headers="SCRIPT_NAME")
    response = ask(shift, "/mount/static/plain.txt", "SCRIPT_NAME: /mount")
    assert response.body == b"0123456789"
    assert is_apps(ask(shift, "/mount/static/plain.txt"))


def test_an_http_1_0_client(shared: Start) -> None:
    with Wire(shared().address) as wire:
        raw = get("/static/plain.txt", version="1.0")
        response = wire.send(raw).response()
        assert response.status_line == "HTTP/1.0 200 OK"
        assert (response.header("Connection"), response.body) == ("close", b"0123456789")
        assert wire.is_closed()


@pytest.mark.parametrize("count", [3, 500])
def test_many_requests_at_once_on_one_connection(shared: Start, count: int) -> None:
    """The application's answers come in between, in order."""
    with Wire(shared().address) as wire:
        wire.send((get("/static/plain.txt") * 2 + get("/hello")) * count)
        for _ in range(count):
            assert [wire.response().body for _ in range(2)] == [b"0123456789"] * 2
            assert is_apps(wire.response())
