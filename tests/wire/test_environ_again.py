"""An environ is made from that of an earlier request when their field names are the same. It says
what one says that is made from nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Kitchen, Server
from harness.wire import Wire, get

Environ = dict[str, list[object]]

# Target, and fields: some kinds of requests, each with other values; names that differ by case
# and by place; the same name twice.
KINDS = [
    ["/"],
    ["/a?a=1", "Accept: text/html", "Cookie: a=1"],
    ["/%7Ea/b?x", "Accept: text/html", "Cookie: a=2; b=3"],
    ["/%7Ea/b?x", "accept: text/html", "Cookie:"],
    ["/%7Ea/b", "Cookie: a=1", "Accept: text/html"],
    ["//c", "Accept: */*", "Cookie: caf\xe9"],
    ["/d", "Accept: a", "Accept: b"],
    ["/d", "Accept: a,b", "Accept:"],
    ["/", "Content-Type: text/plain", "X-Forwarded-Proto: https"],
    ["/", "Content-Type: text/html", "X-Forwarded-Proto: http"],
    ["/app/in", "Content-Type: a/b", "SCRIPT_NAME: /app"],
    ["/app/in", "Content-Type: a/b", "SCRIPT_NAME: /app/in"],
    ["/other", "Content-Type: a/b", "SCRIPT_NAME: /other"],
    ["/big", "Cookie: " + "c" * 8000],
    ["/big?x", "Cookie: " + "d" * 8000],
]


@pytest.fixture(params=["127.0.0.1", "192.0.2.1"], ids=["trusted", "not-trusted"])
def server(kitchen: Kitchen, mode: Mode, request: pytest.FixtureRequest) -> Server:
    return kitchen(forwarded_allow_ips=request.param, **mode.keep_alive)


def requests() -> Iterator[tuple[str, list[str], str, str]]:
    for host in ("example.test", "other.test:81"):
        for target, *fields in KINDS:
            for method, version in (("GET", "1.1"), ("PUT", "1.1"), ("GET", "1.0")):
                yield target, [f"X-Host: {host}", *fields], method, version


def environ(wire: Wire, request: tuple[str, list[str], str, str], *more: str) -> Environ:
    target, (host, *fields), method, version = request
    raw = get(target, *fields, "Connection: keep-alive", *more, method=method, version=version)
    host = host.removeprefix("X-Host: ")
    response = wire.send(raw.replace(b"example.test", host.encode(), 1)).response()
    assert response.status == 200, response
    found: Environ = json.loads(response.body)
    return found


def test_says_the_same(server: Server) -> None:
    with Wire(server.address) as one, Wire(server.address) as other:
        expected = []
        for number, request in enumerate(requests()):
            # A name that never comes again.
            made = environ(one, request, f"X-{number:03}: 1")
            assert made.pop(f"HTTP_X_{number:03}")
            expected.append(made)
        for wire in (one, other) * 3:
            peer = wire.sock.getsockname()
            for request, wanted in zip(requests(), expected, strict=True):
                if isinstance(peer, tuple):
                    wanted = wanted | {"REMOTE_PORT": ["str", str(peer[1])]}
                same(environ(wire, request), wanted)


def test_the_application_has_it_for_itself(server: Server) -> None:
    with Wire(server.address) as wire:
        found = [wire.send(get("/spoil", "A: b")).response().body for _ in range(12)]
    assert json.loads(found[0])["HTTP_A"] == ["str", "b"]
    assert set(found) == {found[0]}


def test_each_connection_has_its_own(server: Server) -> None:
    one, other = next(requests()), ("/other", ["X-Host: example.test", "A: b"], "GET", "1.1")
    with Wire(server.address) as first, Wire(server.address) as second:
        # Long enough for a connection to keep it, then something else for once, and the same again.
        for request in [*[one] * 12, other, *[one] * 12]:
            target, _, method, _ = request
            for wire in (first, second):
                found, peer = environ(wire, request), wire.sock.getsockname()
                if isinstance(peer, tuple):
                    assert found["REMOTE_PORT"] == ["str", str(peer[1])]
                assert found["RAW_URI"] == ["str", target]
                assert found["REQUEST_METHOD"] == ["str", method]
                assert ("HTTP_A" in found) == (request is other)
                assert found["gunicorn.socket"][0] == "ClientSocket"


def test_the_socket_of_the_same_again_is_that_of_its_client(server: Server) -> None:
    with Wire(server.address) as first, Wire(server.address) as second:
        for _ in range(12):
            for wire in (first, second):
                # Those of another connection would say nothing.
                response = wire.send(get("/early")).response()
                assert (response.status, len(response.hints)) == (200, 2)
