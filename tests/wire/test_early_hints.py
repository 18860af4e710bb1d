"""`wsgi.early_hints`: 103 responses before the final one."""

from __future__ import annotations

import pytest

from harness.compare import same
from harness.server import Address
from harness.wire import ask, get

LINK = b"Link: </a.css>; rel=preload\r\n"


def test_two_hints_then_the_response(address: Address) -> None:
    response = ask(address, get("/early"))
    first, second = response.hints
    same(first, b"HTTP/1.1 103 Early Hints\r\n" + LINK + b"\r\n")
    same(second, b"HTTP/1.1 103 Early Hints\r\n" + LINK + b"X-More: 1\r\n\r\n")
    assert (response.status, response.body) == (200, b"ok")


def test_http_1_0_knows_no_hints(address: Address) -> None:
    response = ask(address, get("/early", version="1.0"))
    assert (response.hints, response.body) == ([], b"ok")


def test_too_late_is_ignored(address: Address) -> None:
    same(ask(address, get("/early-late")).chunks, [b"body", b"more"])


@pytest.mark.ours("Gunicorn hands out the socket itself")
def test_what_an_application_keeps_is_never_another_connections(address: Address) -> None:
    """What it does not keep is used again, for the next connection."""
    for query in ("", "", "?keep", "", "?keep", "", ""):
        response = ask(address, get(f"/early-keeper{query}", "Connection: close"))
        assert (response.hints, response.body) == ([], b"ok"), query
        assert len(ask(address, get("/early", "Connection: close")).hints) == 2
