"""`request_buffer_*` and `response_buffer_*`: what waits in memory, what in a file, and when the
application starts or has to wait. Counts and order only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Wire, chunked, get

pytestmark = pytest.mark.ours("buffers requests and responses")

Start = Callable[..., Server]

PIECE = 65536


@pytest.fixture
def start(spawn: Spawn, mode: Mode, tmp_path: Path) -> Start:
    def started(**settings: object) -> Server:
        settings["tmp_upload_dir"] = str(tmp_path)
        return spawn("paced:app", mode, settings=settings)

    return started


def in_files(server: Server, directory: Path) -> list[int]:
    """Sizes of the unlinked files that the worker holds in `directory`."""
    (worker,) = server.workers()
    sizes = []
    for entry in Path(f"/proc/{worker}/fd").iterdir():
        # It may be closed between the listing and the look.
        with contextlib.suppress(OSError):
            if os.readlink(entry).startswith(f"{directory}/") and entry.stat().st_nlink == 0:
                sizes.append(entry.stat().st_size)
    return sizes


def is_read(server: Server) -> None:
    """Returns when the server has read what was sent before: a later request was answered."""
    for _ in range(2):
        with Wire(server.address) as wire:
            assert wire.send(get("/")).response().body == b"hello"


def upload(length: int) -> bytes:
    return get("/upload", f"Content-Length: {length}", method="POST")


def test_a_directory_that_is_not_there(spawn: Spawn, mode: Mode, tmp_path: Path) -> None:
    """Gunicorn never looks at the setting."""
    gone = str(tmp_path / "gone")
    server = spawn("paced:app", mode, settings={"tmp_upload_dir": gone})
    server.wait_log(f"tmp_upload_dir = {gone!r} is no directory that this user can write to")
    with Wire(server.address) as wire:
        # Above `request_buffer_size`.
        wire.send(upload(100_000) + b"x" * 100_000)
        assert wire.response().status == 200
    server.assert_clean_exit()


@pytest.mark.parametrize("limit", [1000, "4K", 100_000])
def test_the_application_starts_at_the_limit(start: Start, limit: object) -> None:
    """The size, 64K unless set, gives way to a lower limit."""
    first = 4096 if limit == "4K" else int(str(limit))
    server = start(request_buffer_limit=limit)
    with Wire(server.address) as wire:
        wire.send(upload(first + 5000) + b"u" * (first - 1))
        is_read(server)
        assert "upload has started" not in server.log()
        wire.send(b"u")
        server.wait_log("upload has started")
        wire.send(b"u" * 5000)
        assert wire.response().body == str(first + 5000).encode()


def test_with_no_limit_it_starts_with_the_head(start: Start) -> None:
    server = start(request_buffer_limit=0)
    with Wire(server.address) as wire:
        wire.send(upload(3))
        server.wait_log("upload has started")
        assert wire.send(b"abc").response().body == b"3"
    with Wire(server.address) as wire:
        wire.send(get("/upload", "Transfer-Encoding: chunked", method="POST"))
        server.wait_log("upload has started", 2)
        assert wire.send(chunked(b"abc", b"de")).response().body == b"5"


@pytest.mark.parametrize("size", [0, 1000, "100K"])
def test_a_body_above_the_size_goes_to_a_file(start: Start, size: object, tmp_path: Path) -> None:
    most = 102400 if size == "100K" else int(str(size))
    server = start(request_buffer_size=size)
    with Wire(server.address) as wire:
        wire.send(upload(most + 10) + b"u" * most)
        is_read(server)
        assert in_files(server, tmp_path) == []
        wire.send(b"u")
        until(lambda: in_files(server, tmp_path) == [most + 1], "a file", show=server.log)
        assert wire.send(b"u" * 9).response().body == str(most + 10).encode()
    until(lambda: in_files(server, tmp_path) == [], "no file", show=server.log)


@pytest.mark.parametrize("limit", ["64K", "1M", "2M"])
def test_the_application_waits_at_the_limit(start: Start, limit: str) -> None:
    """Nobody reads until the client is cut: what the application made by then and what the kernel
    still delivers differ by what was buffered."""
    most = {"64K": 1, "1M": 16, "2M": 32}[limit] * PIECE
    server = start(
        response_buffer_size="64K", response_buffer_limit=limit, client_write_timeout="500ms"
    )
    with Wire(server.address, receive_buffer=4096) as wire:
        wire.send(get(f"/pieces?n=1000&size={PIECE}"))
        log = server.wait_log("cut in piece ")
        made = int(log.partition("cut in piece ")[2].partition(".")[0]) * PIECE
        delivered = len(wire.read_to_close().partition(b"\r\n\r\n")[2])
    assert most - PIECE <= made - delivered <= most + 2 * PIECE


@pytest.mark.parametrize("piece", [PIECE, 2_000_000])
@pytest.mark.parametrize(("size", "filed"), [("32M", False), ("1M", True)])
def test_a_response_within_the_limit_frees_the_application(
    start: Start, size: str, filed: bool, piece: int, tmp_path: Path
) -> None:
    """Whatever its pieces: one may be larger than what is kept in memory."""
    count = 20_000_000 // piece
    server = start(response_buffer_size=size, response_buffer_limit="32M")
    with Wire(server.address) as wire:
        wire.send(get(f"/pieces?n={count}&size={piece}"))
        server.wait_log(f"all {count} pieces were taken")
        is_read(server)
        assert bool(in_files(server, tmp_path)) == filed
        assert len(wire.response().body) == count * piece
