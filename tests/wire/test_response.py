"""How responses are framed and which header fields go out."""

from __future__ import annotations

import email.utils
import urllib.parse
from pathlib import Path

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Address, Command, Server
from harness.wire import Response, Wire, ask, exchange, get

# What both servers put in front of the app's own fields; Server and Date differ by nature.
HEAD = ["Server", "Date", "Connection"]


def named(response: Response) -> list[str]:
    return [name for name, _ in response.headers]


def app_fields(response: Response) -> list[tuple[str, str]]:
    return [field for field in response.headers if field[0] not in (*HEAD, "Transfer-Encoding")]


def test_head_in_order(address: Address, command: Command, mode: Mode) -> None:
    response = ask(address, get("/hello"))
    assert response.status_line == "HTTP/1.1 200 OK"
    same(named(response), [*HEAD, "Content-Type", "Content-Length"])
    assert response.header("Server") == command.name
    assert response.header("Connection") == ("keep-alive" if mode.keeps_alive else "close")
    assert email.utils.parsedate_to_datetime(response.header("Date") or "").tzname() == "UTC"
    assert (response.header("Date") or "").endswith(" GMT")


def test_app_fields_keep_order_and_case(address: Address) -> None:
    same(
        app_fields(ask(address, get("/extra"))),
        [
            ("Content-Type", "text/plain"),
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("X-MiXeD", "caf\xe9"),
            ("X-Blank", ""),
            ("Content-Length", "2"),
        ],
    )


def test_hop_by_hop_fields_are_the_servers(address: Address, command: Command) -> None:
    response = ask(address, get("/hop"))
    assert response.header("Server") == command.name
    assert response.header("Date") != "mine"
    same(
        app_fields(response),
        [("Content-Type", "text/plain"), ("X-Kept", "mine"), ("Content-Length", "2")],
    )


def test_chunks(address: Address) -> None:
    response = ask(address, get("/stream"))
    same(named(response), [*HEAD, "Transfer-Encoding", "Content-Type"])
    same(response.chunks, [b"one", b"two", b"three"])


def test_http_1_0_ends_with_the_connection(address: Address) -> None:
    response = ask(address, get("/stream", version="1.0"))
    assert response.status_line == "HTTP/1.0 200 OK"
    same(named(response), [*HEAD, "Content-Type"])
    assert response.body == b"onetwothree"


def test_pieces_within_a_length(address: Address) -> None:
    assert ask(address, get("/sized")).body == b"abcdef"


def test_no_body_at_all(address: Address) -> None:
    response = ask(address, get("/empty"))
    assert response.header("Transfer-Encoding") == "chunked"
    assert response.body == b""


def test_bytes_past_the_length_are_cut(address: Address) -> None:
    raw = exchange(address, get("/long"))
    assert raw.endswith(b"Content-Length: 4\r\n\r\nabcd"), raw


@pytest.mark.gunicorn_bug("keeps the connection open, and the client waiting", "gthread")
def test_too_few_bytes_end_in_a_close(address: Address) -> None:
    raw = exchange(address, get("/short"))
    assert raw.endswith(b"Content-Length: 10\r\n\r\nabc"), raw


@pytest.mark.parametrize("path", ["/hello", "/stream", "/bytes?n=200000", "/write"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head_has_no_body(address: Address, path: str, version: str) -> None:
    found = exchange(address, get(path, method="HEAD", version=version))
    head, end, body = found.partition(b"\r\n\r\n")
    assert (end, body) == (b"\r\n\r\n", b"")
    of_get = ask(address, get(path, version=version))
    same(Response(head + end).header("Content-Length"), of_get.header("Content-Length"))


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_body(address: Address, status: str) -> None:
    found = exchange(address, get(f"/body-204?s={urllib.parse.quote(status)}"))
    head, end, body = found.partition(b"\r\n\r\n")
    assert (end, body) == (b"\r\n\r\n", b""), found
    response = Response(head + end)
    assert response.status_line == f"HTTP/1.1 {status}"
    assert response.header("Transfer-Encoding") is None
    assert response.header("Content-Length") == ("5" if status.startswith("304") else None)


def test_stray_body_is_reported(server: Server) -> None:
    # A library logger: without logging configuration only the root's last resort prints it.
    exchange(server.address, get("/body-204?s=204+No+Content", method="PUT"))
    server.wait_log(
        "WSGI app sent body bytes on a no-body response (method=PUT status=204); "
        "dropping per RFC 9110."
    )


def test_1xx_from_the_app(address: Address) -> None:
    found = exchange(address, get("/102", "Connection: close"))
    head, end, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 102 Processing\r\n")
    assert (end, body) == (b"\r\n\r\n", b"")
    assert b"Transfer-Encoding" not in head


@pytest.mark.parametrize(
    "status",
    ["200 OK", "200 ", "299 Very long reason, with: punctuation", "404 Not Found", "999 X"],
)
def test_status_line(address: Address, status: str) -> None:
    response = ask(address, get(f"/status?s={urllib.parse.quote(status)}"))
    assert response.status_line == f"HTTP/1.1 {status}"


def test_write_and_items_come_in_order(address: Address) -> None:
    response = ask(address, get("/write"))
    assert response.body == b"written,twice,returned"
    assert response.header("Transfer-Encoding") == "chunked"


@pytest.mark.parametrize("query", ["n=5000000", "n=5000000&chunked"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_large(address: Address, query: str, version: str) -> None:
    response = ask(address, get(f"/bytes?{query}", version=version))
    assert len(response.body) == 5_000_000
    assert set(response.body) == {ord("x")}


def test_each_item_is_sent_at_once(address: Address, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with Wire(address) as wire:
        wire.send(get(f"/slow{gate}"))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        assert wire.read_until(b"first\r\n") == b"5\r\nfirst\r\n"
        # The app waits for this, which only a server that flushed lets us know to do.
        gate.touch()
        assert wire.read_until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("path", ["/peek", "/peek?keep"])
def test_looking_at_the_socket_changes_nothing(address: Address, path: str) -> None:
    """Nor does keeping it: `ask` sees that the connection ends."""
    response = ask(address, get(path))
    same(response.chunks, [b"peeked"])


def test_close_is_called(server: Server) -> None:
    count = server.log().count("closed now")
    ask(server.address, get("/close?now"))
    server.wait_log("closed now", count + 1)


def test_close_is_called_when_the_client_has_left(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send(get("/close?gone"))
    server.wait_log("closed gone")


@pytest.mark.gunicorn_bug("headers of the first start_response are kept beside the new ones")
def test_exc_info_replaces_status_and_headers(address: Address) -> None:
    response = ask(address, get("/exc_info"))
    assert response.status_line == "HTTP/1.1 503 Sorry"
    same(app_fields(response), [("Content-Type", "text/plain"), ("X-Second", "2")])
    assert response.body == b"sorry"
