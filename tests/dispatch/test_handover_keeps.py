"""What a connection takes along when it is handed over: the application can not tell."""

from __future__ import annotations

import json

import pytest

from harness import kinds
from harness.compare import same
from harness.kinds import Kind
from harness.server import Address, free_port
from harness.shift import Shift, Start, worker
from harness.wait import until
from harness.wire import Wire, chunked, get, post

from .test_handover import BODY, in_a_busy_worker

pytestmark = pytest.mark.gunicorn_bug("a connection stays with its worker")

V1 = b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n"
V2 = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
    + bytes([203, 0, 113, 9, 192, 0, 2, 7])
    + (4711).to_bytes(2, "big")
    + (443).to_bytes(2, "big")
)
UPLOAD = post("/environ/a%20b?c=d", BODY, "X-Mine: \xe9", "Cookie: a=b", "Content-Type: a/b")
# The port of each connection is its own; every other value must be the same.
OWN = "REMOTE_PORT"


def environ(body: bytes) -> dict[str, object]:
    found = dict(json.loads(body))
    # It says which worker it was.
    del found["rgunicorn.worker_slot"]
    return found


def at_home(shift: Shift, raw: bytes, address: Address | None = None) -> dict[str, object]:
    """The environ of `raw` when everybody is free, without the connection's own port."""
    with Wire(address or shift.address) as wire:
        found = environ(wire.send(raw).response().body)
    found.pop(OWN, None)
    return found


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_environ(shared: Start, kind: Kind, transport: str) -> None:
    shift = shared(kind)
    expected = at_home(shift, UPLOAD)
    with in_a_busy_worker(shift, UPLOAD[:100]) as (wire, idle):
        response = wire.send(UPLOAD[100:]).response()
        assert worker(response) == idle
        found = environ(response.body)
        if transport == "tcp":
            host, port = wire.sock.getsockname()
            same(found.pop(OWN), ["str", str(port)])
            same(found["REMOTE_ADDR"], ["str", host])
        same(found, expected)


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_address_of_the_client(shared: Start, kind: Kind, transport: str) -> None:
    if transport == "unix":
        pytest.skip("a unix socket has no address to come from")
    shift = shared(kind)
    with in_a_busy_worker(shift, UPLOAD[:100], source="127.0.0.77") as (wire, _):
        found = environ(wire.send(UPLOAD[100:]).response().body)
        same(found["REMOTE_ADDR"], ["str", "127.0.0.77"])
        same(found[OWN], ["str", str(wire.sock.getsockname()[1])])


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
@pytest.mark.parametrize("preamble", [V1, V2], ids=["v1", "v2"])
def test_proxy_information(shared: Start, kind: Kind, preamble: bytes) -> None:
    shift = shared(kind, proxy_protocol="auto")
    expected = at_home(shift, preamble + UPLOAD)
    same(expected["REMOTE_ADDR"], ["str", "203.0.113.9"])
    # The cut is behind the preamble.
    with in_a_busy_worker(shift, (preamble + UPLOAD)[:100]) as (wire, idle):
        response = wire.send((preamble + UPLOAD)[100:]).response()
        assert worker(response) == idle
        found = environ(response.body)
        same(found.pop(OWN), ["str", "4711"])
        same(found, expected)
        if kind.keeps_alive:
            # It is about the connection, so also about the next request, which stays there.
            response = wire.send(UPLOAD).response()
            assert worker(response) == idle
            found = environ(response.body)
            same(found.pop(OWN), ["str", "4711"])
            same(found, expected)


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_the_right_listener(start: Start, kind: Kind, transport: str) -> None:
    """Two TCP listeners and one unix socket; the hand-over of each says where it came in."""
    if transport == "unix":
        pytest.skip("the test has both kinds of listeners")
    port = free_port()
    shift = start(kind, config=f"bind = [bind, 'unix:s.sock', '127.0.0.1:{port}']")
    path = str(shift.server.directory / "s.sock")
    # No Host field: the server's own name and port are what tells.
    raw = b"POST /environ HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody"
    addresses: list[Address] = [shift.address, path, ("127.0.0.1", port)]
    names = []
    for address in addresses:
        expected = at_home(shift, raw, address)
        names.append((expected["SERVER_NAME"], expected["SERVER_PORT"]))
        with in_a_busy_worker(shift, raw[:-2], address) as (wire, idle):
            response = wire.send(raw[-2:]).response()
            assert worker(response) == idle
            found = environ(response.body)
            found.pop(OWN, None)
            same(found, expected)
    assert len({str(name) for name in names}) == 3, names


HOOKS = """
def pre_request(worker, req):
    worker.log.info("hook: %s, request %s, %s", req.uri, req.req_number, req.trailers)
"""


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_trailers_and_the_number_of_the_request(shared: Start, kind: Kind) -> None:
    """What hooks see of the request."""
    shift = shared(kind, config=HOOKS)
    raw = get("/echo?third", "Transfer-Encoding: chunked", method="POST")
    raw += chunked(b"abc", trailers=b"X-Sum: 1\r\nX-Two: 2\r\n")
    with Wire(shift.address) as wire:
        for _ in range(2):
            home = worker(wire.send(get("/hello")).response())
        with shift.occupied(home):
            response = wire.send(raw).response()
            assert worker(response) != home
            assert response.body == b"abc"
    shift.server.wait_log("hook: /echo?third, request 3, [('X-SUM', '1'), ('X-TWO', '2')]")


LOGGED = {"accesslog": "access.log", "access_log_format": '%(p)s "%(r)s" %(s)s %(B)s'}


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_one_access_line(shared: Start, kind: Kind) -> None:
    shift = shared(kind, **LOGGED)
    expected = []
    for number in range(4):
        raw = post(f"/echo?once={number}", BODY)
        with in_a_busy_worker(shift, raw[:-500]) as (wire, idle):
            assert worker(wire.send(raw[-500:]).response()) == idle
        expected.append(f'<{idle}> "POST /echo?once={number} HTTP/1.1" 200 {len(BODY)}')
    log = shift.server.directory / "access.log"
    until(lambda: log.read_text().count("once=") >= 4, "four lines", show=log.read_text)
    same([line for line in log.read_text().splitlines() if "once=" in line], expected)


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_who_gave_it_away_does_not_count_it(start: Start, kind: Kind) -> None:
    """More connections than a worker may hold go through it; it still accepts as many as ever."""
    limit = 4
    shift = start(kind, worker_connections=limit)
    home = shift.workers[0]
    for _ in range(2 * limit):
        with shift.only(home):
            wire = Wire(shift.address)
            assert worker(wire.send(get("/hello")).response()) == home
        with wire, shift.occupied(home):
            response = wire.send(get("/hello", "Connection: close")).response()
            assert worker(response) != home
            assert wire.is_closed()
    with shift.only(home):
        wires = [Wire(shift.address).send(get("/hello")) for _ in range(limit - 1)]
        assert {worker(wire.response()) for wire in wires} == {home}
        for wire in wires:
            wire.close()
