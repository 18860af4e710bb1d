"""The helpers of `gunicorn.util`, as workers and applications use them."""

from __future__ import annotations

import email.utils
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rgunicorn import util


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("", ("0.0.0.0", 8000)),
        ("localhost", ("localhost", 8000)),
        ("LocalHost:80", ("localhost", 80)),
        (":8080", ("", 8080)),
        ("tcp://1.2.3.4:5", ("1.2.3.4", 5)),
        ("tcp://", ("0.0.0.0", 8000)),
        ("[::1]", ("::1", 8000)),
        ("[::1]:80", ("::1", 80)),
        ("tcp://[FE80::1]:80", ("fe80::1", 80)),
        ("host:80:90", ("host", 80)),
        ("unix:/run/x.sock", "/run/x.sock"),
        ("unix:///run/x.sock", "/run/x.sock"),
        ("unix:x.sock", "x.sock"),
        ("unix:@name", "@name"),
        ("unix:\0name", "\0name"),
        ("unix:/run/unix:x", "/run/unix:x"),
        ("fd://3", 3),
    ],
)
def test_addresses(netloc: str, expected: object) -> None:
    assert util.parse_address(netloc) == expected


@pytest.mark.parametrize(
    ("netloc", "message"),
    [
        ("host:abc", "'abc' is not a valid port number."),
        ("host:", "'' is not a valid port number."),
        ("::1", "'' is not a valid port number."),
        ("[::1]:x", "'x' is not a valid port number."),
        ("fd://x", "'x' is not a valid file descriptor."),
    ],
)
def test_addresses_that_are_none(netloc: str, message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        util.parse_address(netloc)
    assert str(caught.value) == message


def test_the_default_port_can_be_another() -> None:
    assert util.parse_address("stats", default_port="8125") == ("stats", 8125)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("::1", True), ("fe80::1%lo", False), ("1.2.3.4", False), ("x", False), ("::1\0", False)],
)
def test_ipv6(text: str, expected: bool) -> None:
    assert util.is_ipv6(text) is expected


@pytest.mark.parametrize("timestamp", [0, 784111777, 951827696.9, 4102444799])
def test_http_date(timestamp: float) -> None:
    assert util.http_date(timestamp) == email.utils.formatdate(timestamp, usegmt=True)


def test_http_date_of_now() -> None:
    before = int(time.time())
    parsed = email.utils.parsedate_to_datetime(util.http_date()).timestamp()
    assert before <= parsed <= time.time()


def test_hop_by_hop_headers() -> None:
    names = "Connection KEEP-ALIVE te Trailers Transfer-Encoding upgrade Server Date"
    assert all(map(util.is_hoppish, [*names.split(), " proxy-authenticate "]))
    assert not any(map(util.is_hoppish, ("Content-Length", "Set-Cookie", "Trailer")))


@pytest.mark.parametrize(
    ("uri", "path", "query"),
    [
        ("/a/b?c=d", "/a/b", "c=d"),
        ("//a/b?c", "//a/b", "c"),
        ("http://host/a", "/a", ""),
        ("/a#b", "/a", ""),
        ("*", "*", ""),
    ],
)
def test_split_request_uri(uri: str, path: str, query: str) -> None:
    parts = util.split_request_uri(uri)
    assert (parts.path, parts.query) == (path, query)


def test_unquote_to_wsgi_str() -> None:
    assert util.unquote_to_wsgi_str("/%C3%A9%zz%41") == "/\xc3\xa9%zzA"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


def received(pair: Pair) -> bytes:
    pair[0].shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: pair[1].recv(65536), b""))


def test_writing(pair: Pair) -> None:
    util.write(pair[0], b"plain ")
    util.write(pair[0], b"chunk", chunked=True)
    util.write_chunk(pair[0], "é" * 8)
    util.write_nonblock(pair[0], b"", chunked=True)
    chunk = "é".encode() * 8
    assert received(pair) == b"plain 5\r\nchunk\r\n10\r\n" + chunk + b"\r\n0\r\n\r\n"
    assert pair[0].gettimeout() is None


def test_writing_never_waits_if_asked(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        util.write_nonblock(pair[0], b"x" * 10_000_000)
    assert pair[0].gettimeout() is None


def test_the_error_page(pair: Pair) -> None:
    util.write_error(pair[0], 400, "Bad Request", "<i> & 'q'")
    assert received(pair) == (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n"
        b"Content-Length: 150\r\n\r\n"
        b"<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n"
        b"    <h1><p>Bad Request</p></h1>\n    &lt;i&gt; &amp; &#x27;q&#x27;\n  </body>\n</html>\n"
    )


def test_the_error_page_of_gunicorn(pair: Pair) -> None:
    python = os.environ.get("RGUNICORN_PARITY_PYTHON")
    if not python:
        pytest.skip("RGUNICORN_PARITY_PYTHON does not name the Python of a Gunicorn 27.0.1")
    code = (
        "import socket, json; from gunicorn import util\na, b = socket.socketpair()\n"
        "util.write_error(a, 500, 'Internal Server Error', '')\n"
        "util.write_error(a, 400, 'Bad', '\"é')\nprint(json.dumps(b.recv(9999).decode('latin1')))"
    )
    theirs = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    util.write_error(pair[0], 500, "Internal Server Error", "")
    util.write_error(pair[0], 400, "Bad", '"é')
    assert received(pair).decode("latin1") == json.loads(theirs.stdout)


def test_an_error_page_for_text_outside_latin_1(pair: Pair) -> None:
    util.write_error(pair[0], 400, "Bad Request", "\u20ac")
    head, _, page = received(pair).partition(b"\r\n\r\n")
    assert b"&#8364;" in page
    assert head.endswith(b"Content-Length: %d" % len(page))


def test_make_fail_app() -> None:
    started: list[Any] = []
    app = util.make_fail_app("bröken")
    assert list(app({}, lambda *args: started.append(args))) == ["bröken".encode()]
    assert started == [
        (
            "500 Internal Server Error",
            [("Content-Type", "text/plain"), ("Content-Length", "7")],
        )
    ]


def test_text_and_bytes() -> None:
    assert util.bytes_to_str(b"\xe9") == util.bytes_to_str("é") == "é"
    assert util.to_bytestring("é") == "é".encode()
    assert util.to_bytestring("é", "latin-1") == util.to_bytestring(b"\xe9") == b"\xe9"
    with pytest.raises(TypeError, match="3 is not a string"):
        util.to_bytestring(3)  # type: ignore[arg-type]


def test_has_fileno(tmp_path: Path) -> None:
    with open(tmp_path / "f", "w") as file:
        assert util.has_fileno(file)
    assert not util.has_fileno(io.BytesIO())
    assert not util.has_fileno(object())


def test_descriptors() -> None:
    reader, writer = os.pipe()
    try:
        os.set_inheritable(reader, True)
        util.close_on_exec(reader)
        assert not os.get_inheritable(reader)
        util.set_non_blocking(reader)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
    finally:
        os.close(reader)
        os.close(writer)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    util.check_is_writable(str(path))
    assert path.exists()
    util.chown(str(path), os.getuid(), os.getgid())
    util.unlink(str(path))
    util.unlink(str(path))
    util.unlink(str(tmp_path / "log" / "below"))
    assert not path.exists()
    with pytest.raises(OSError):
        util.unlink(str(tmp_path))
    with pytest.raises(RuntimeError) as caught:
        util.check_is_writable("/none/log")
    assert str(caught.value) == (
        "Error: '/none/log' isn't writable [FileNotFoundError(2, 'No such file or directory')]"
    )


def test_warn(capsys: pytest.CaptureFixture[str]) -> None:
    util.warn("one\ntwo")
    assert capsys.readouterr().err == "!!!\n!!! WARNING: one\n!!! two\n!!!\n\n"


def test_reraise() -> None:
    try:
        raise ValueError("first")
    except ValueError:
        info = sys.exc_info()
    assert info[1] is not None
    with pytest.raises(ValueError) as caught:
        util.reraise(ValueError, info[1], info[2])
    assert caught.value is info[1]
    with pytest.raises(KeyError):
        util.reraise(KeyError, None)
