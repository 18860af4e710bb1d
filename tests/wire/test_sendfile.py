"""`wsgi.file_wrapper` with files and with things that only look like files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.server import Kitchen
from harness.wire import Response, ask, exchange, get

SENDFILE = pytest.mark.parametrize(
    "settings", [{}, {"sendfile": False}], ids=["sendfile", "no sendfile"]
)


@SENDFILE
@pytest.mark.parametrize("query", ["", "?chunked"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_whole_file(
    kitchen: Kitchen, big_file: Path, settings: dict[str, object], query: str, version: str
) -> None:
    response = ask(kitchen(**settings).address, get(f"/file{query}", version=version))
    assert response.body == big_file.read_bytes()
    assert (response.header("Content-Length") is None) == bool(query)
    if query and version == "1.1":
        assert response.header("Transfer-Encoding") == "chunked"


@SENDFILE
@pytest.mark.parametrize("offset", [1, 4096, 300_002])
def test_from_where_the_file_stands(
    kitchen: Kitchen, big_file: Path, settings: dict[str, object], offset: int
) -> None:
    response = ask(kitchen(**settings).address, get(f"/file-offset?o={offset}"))
    assert response.body == big_file.read_bytes()[offset:]


@SENDFILE
@pytest.mark.parametrize("offset", [300_003, 400_000])
@pytest.mark.gunicorn_bug("sendfile of nothing is a chunk of size 0: the body ends twice")
def test_at_the_end_of_the_file(kitchen: Kitchen, settings: dict[str, object], offset: int) -> None:
    assert ask(kitchen(**settings).address, get(f"/file-offset?o={offset}")).body == b""


@SENDFILE
def test_no_more_than_content_length(
    kitchen: Kitchen, big_file: Path, settings: dict[str, object]
) -> None:
    raw = exchange(kitchen(**settings).address, get("/file-range?o=100&n=70000"))
    assert raw.partition(b"\r\n\r\n")[2] == big_file.read_bytes()[100:70_100]


@SENDFILE
@pytest.mark.gunicorn_bug("keeps the connection open, and the client waiting", "gthread")
def test_less_file_than_content_length(
    kitchen: Kitchen, big_file: Path, settings: dict[str, object]
) -> None:
    raw = exchange(kitchen(**settings).address, get("/file-range?o=300000&n=10"))
    assert raw.partition(b"\r\n\r\n")[2] == big_file.read_bytes()[300_000:]


def test_without_file_descriptor(kitchen: Kitchen) -> None:
    assert ask(kitchen().address, get("/file-like")).body == b"0123456789" * 3


def test_head_sends_no_file(kitchen: Kitchen) -> None:
    found = exchange(kitchen().address, get("/file", method="HEAD"))
    head, end, body = found.partition(b"\r\n\r\n")
    assert (Response(head + end).header("Content-Length"), body) == ("300003", b"")
