"""Conditions and ranges mean what they mean to real nginx, for the same files."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.nginx import Nginx, available, running
from harness.server import Address, free_port
from harness.shift import Start
from harness.wire import Response, Wire, get

pytestmark = [
    pytest.mark.ours("static_map"),
    pytest.mark.skipif(available() is None, reason="nginx is not installed"),
]

SITE = """
    types {{ text/css css; text/plain txt; }}
    default_type application/octet-stream;
    charset utf-8; charset_types text/css text/plain;
    server {{
        listen 127.0.0.1:{port};
        if_modified_since before;
        gzip_static on; gzip_vary on; gzip_http_version 1.0;
        max_ranges 1;
        location /static/ {{ alias {root}/; }}
    }}
"""


@pytest.fixture(scope="module")
def nginx(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    port = free_port()
    http = SITE.format(port=port, root=site / "www")
    with running(tmp_path_factory.mktemp("nginx"), port, http) as server:
        yield server


# ETAG, SAME, BEFORE and AFTER stand for what the server itself says of the file.
CASES = [
    [],
    ["If-None-Match: ETAG"],
    ["If-None-Match: W/ETAG"],
    ['If-None-Match: "x", ETAG'],
    ['If-None-Match: "x"'],
    ["If-None-Match: *"],
    ["If-Modified-Since: SAME"],
    ["If-Modified-Since: BEFORE"],
    ["If-Modified-Since: AFTER"],
    ["If-Modified-Since: yesterday"],
    ['If-None-Match: "x"', "If-Modified-Since: SAME"],
    ["If-Match: ETAG"],
    ["If-Match: *"],
    ['If-Match: "x"'],
    ['If-Match: "x", ETAG'],
    ["If-Unmodified-Since: SAME"],
    ["If-Unmodified-Since: BEFORE"],
    ["If-Unmodified-Since: AFTER"],
    ["If-Match: ETAG", "If-None-Match: ETAG"],
    ["Range: bytes=0-3"],
    ["Range: bytes=3-"],
    ["Range: bytes=-3"],
    ["Range: bytes=0-0"],
    ["Range: bytes=-1"],
    ["Range: bytes=5-5000000"],
    ["Range: bytes=-5000000"],
    ["Range: bytes=5000000-"],
    ["Range: bytes=0-9999999999999"],
    ["Range: bytes=0-3,5-6"],
    ["Range: lines=0-3"],
    ["Range: bytes=0-3", "If-Range: ETAG"],
    ["Range: bytes=0-3", "If-Range: W/ETAG"],
    ["Range: bytes=0-3", 'If-Range: "x"'],
    ["Range: bytes=0-3", "If-Range: SAME"],
    ["Range: bytes=0-3", "If-Range: BEFORE"],
    ["Range: bytes=0-3", "If-None-Match: ETAG"],
    ["Range: bytes=0-3", "If-Modified-Since: SAME"],
    ["Range: bytes=0-3", 'If-Match: "x"'],
]


def answer(address: Address, path: str, accept: str, case: list[str]) -> Response:
    with Wire(address) as wire:
        start = wire.send(get(path, accept)).response()
        modified = email.utils.parsedate_to_datetime(start.header("Last-Modified") or "")
        seconds = modified.timestamp()
        words = {
            "ETAG": start.header("ETag") or "",
            "SAME": email.utils.formatdate(seconds, usegmt=True),
            "BEFORE": email.utils.formatdate(seconds - 1, usegmt=True),
            "AFTER": email.utils.formatdate(seconds + 1, usegmt=True),
        }
        fields = case
        for word, meaning in words.items():
            fields = [field.replace(word, meaning) for field in fields]
        return wire.send(get(path, accept, *fields, "Connection: close")).response()


@pytest.mark.parametrize("path", ["/static/plain.txt", "/static/x.css", "/static/big.bin"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case) or "none")
def test_the_same_answer(shared: Start, nginx: Nginx, path: str, case: list[str]) -> None:
    ranged = any(field.startswith("Range") for field in case)
    # nginx's gzip_static knows no ranges of what lies compressed; RFC 9110 section 14 does.
    accept = f"Accept-Encoding: {'identity' if ranged else 'gzip'}"
    ours = answer(shared().address, path, accept, case)
    theirs = answer(("127.0.0.1", nginx.port), path, accept, case)
    assert ours.status == theirs.status
    if ours.status in (200, 206):
        assert ours.body == theirs.body
        compared = ["Content-Length", "Content-Range", "Content-Encoding", "Content-Type", "Vary"]
    elif ours.status == 416:
        compared = ["Content-Range"]
    else:
        compared = []
    for name in [*compared, "Last-Modified"] if ours.status in (200, 206, 304) else compared:
        assert ours.header(name) == theirs.header(name), name


def test_an_empty_file(shared: Start, nginx: Nginx) -> None:
    for server in (shared().address, ("127.0.0.1", nginx.port)):
        with Wire(server) as wire:
            response = wire.send(get("/static/empty.txt")).response()
        assert (response.status, response.header("Content-Length")) == (200, "0")


@pytest.mark.parametrize(
    ("method", "field", "ours", "theirs"),
    [
        ("HEAD", "Range: bytes=0-3", 200, 206),
        ("GET", "Range: bytes=x", 200, 416),
        ("GET", "Range: bytes=3-0", 200, 416),
    ],
)
def test_what_is_different_on_purpose(
    shared: Start, nginx: Nginx, method: str, field: str, ours: int, theirs: int
) -> None:
    """RFC 9110 section 14.2: only GET has ranges, and what is malformed is ignored."""
    for address, status in ((shared().address, ours), (("127.0.0.1", nginx.port), theirs)):
        with Wire(address) as wire:
            wire.send(get("/static/plain.txt", field, method=method))
            assert wire.response(method).status == status
