"""What the client and the log see of an app that fails."""

from __future__ import annotations

import contextlib

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.pages import SERVER_ERROR
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import exchange, get

STARTS = [
    "status-bytes",
    "status-int",
    "status-two",
    "status-word",
    "status-empty",
    "status-crlf",
    "name-blank",
    "name-colon",
    "name-empty",
    "name-bytes",
    "value-crlf",
    "value-nul",
    "value-int",
    "value-bytes",
]


def test_the_page_is_141_bytes_long() -> None:
    assert b"Content-Length: 141\r\n" in SERVER_ERROR


@pytest.mark.parametrize(
    "path, error",
    [
        ("/raise", "RuntimeError: broken before headers"),
        ("/raise-iter", "RuntimeError: broken in iterator"),
        ("/twice", "AssertionError"),
        *[(f"/start?{name}", "Error") for name in STARTS],
    ],
)
def test_error_before_headers(server: Server, path: str, error: str) -> None:
    workers, seen = server.workers(), len(server.log())
    same(exchange(server.address, get(path)), SERVER_ERROR)
    until(lambda: error in server.log()[seen:], "the traceback")
    log = server.log()[seen:]
    assert f"[ERROR] Error handling request GET {path}\n" in log
    assert "Traceback (most recent call last):\n" in log
    assert server.workers() == workers


@pytest.mark.gunicorn_bug("the sync worker writes `HTTP/1.1 None`", "sync")
def test_no_start_response(server: Server) -> None:
    same(exchange(server.address, get("/no-start")), SERVER_ERROR)


@pytest.mark.parametrize(
    "path, error",
    [
        ("/raise-late", "RuntimeError: broken after headers"),
        ("/twice?late", "RuntimeError: too late to change"),
    ],
)
def test_error_after_headers(server: Server, path: str, error: str) -> None:
    workers, seen = server.workers(), len(server.log())
    found = exchange(server.address, get(path))
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    # No last chunk: the client must be able to tell that this is not the whole body.
    assert found.endswith(b"\r\n\r\n5\r\nbegun\r\n"), found
    until(lambda: error in server.log()[seen:], "the traceback")
    assert "[ERROR] Error handling request\n" in server.log()[seen:]
    assert server.workers() == workers


def test_item_that_is_not_bytes(server: Server) -> None:
    seen = len(server.log())
    found = exchange(server.address, get("/not-bytes"))
    assert found.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 500 ")), found
    assert b"bytes" not in found.partition(b"\r\n\r\n")[2]
    until(lambda: "TypeError" in server.log()[seen:], "the traceback")


@pytest.mark.gunicorn_bug("the worker leaves without an answer", "gthread")
def test_system_exit_is_an_error_like_any_other(server: Server) -> None:
    workers, seen = server.workers(), len(server.log())
    same(exchange(server.address, get("/exit?code=5")), SERVER_ERROR)
    until(lambda: "SystemExit: 5" in server.log()[seen:], "the traceback")
    assert b"Hello" in exchange(server.address, get("/hello"))
    assert server.workers() == workers


def test_worker_that_vanishes_is_replaced_and_reported(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode)
    (worker,) = server.workers()
    # The kernel resets a connection whose owner died with unread bytes.
    with contextlib.suppress(ConnectionResetError):
        assert exchange(server.address, get("/exit?now=9")) == b""
    server.wait_log(f"[ERROR] Worker (pid:{worker}) exited with code 9.")
    assert b"Hello" in exchange(server.address, get("/hello"))
