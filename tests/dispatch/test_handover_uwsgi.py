"""A uwsgi packet that becomes complete while its worker is busy is served by an idle sibling."""

from __future__ import annotations

import json

import pytest

from harness import kinds
from harness.compare import same
from harness.kinds import Kind
from harness.shift import Shift, Start, worker
from harness.uwsgi import packet, request
from harness.wire import Wire

from .test_handover import BODY, in_a_busy_worker

pytestmark = pytest.mark.gunicorn_bug("a connection stays with its worker")

V1 = b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n"
UPLOAD = request(
    "/mount/environ/a%20b?c=d",
    BODY,
    PATH_INFO="/mount/environ/a b",
    SCRIPT_NAME="/mount",
    CONTENT_TYPE="a/b",
    HTTP_X_MINE="\xe9",
    HTTP_COOKIE="a=b",
    HTTPS="on",
    foo="bar",
)


def serve(shared: Start, kind: Kind) -> Shift:
    return shared(kind, protocol="uwsgi", proxy_protocol="auto")


def environ(body: bytes) -> dict[str, object]:
    found = dict(json.loads(body))
    # It says which worker it was.
    del found["rgunicorn.worker_slot"]
    return found


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
@pytest.mark.parametrize("cut", [0, 2, 100, -len(BODY), -1])
def test_the_environ(shared: Start, kind: Kind, cut: int) -> None:
    shift = serve(shared, kind)
    with Wire(shift.address) as wire:
        expected = environ(wire.send(UPLOAD).response().body)
    same(
        [expected[key][1] for key in ("SCRIPT_NAME", "foo", "CONTENT_TYPE")],
        ["/mount", "bar", "a/b"],
    )
    with in_a_busy_worker(shift, UPLOAD[:cut]) as (wire, idle):
        response = wire.send(UPLOAD[cut:]).response()
        assert worker(response) == idle
        same(environ(response.body), expected)


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_behind_a_preamble(shared: Start, kind: Kind) -> None:
    """The packet goes before what the preamble says; what it does not say is the preamble's."""
    shift = serve(shared, kind)
    raw = V1 + request("/environ", BODY, REMOTE_ADDR=None, REMOTE_PORT=None)
    with in_a_busy_worker(shift, raw[:100]) as (wire, idle):
        response = wire.send(raw[100:]).response()
        assert worker(response) == idle
        found = json.loads(response.body)
        assert found["REMOTE_ADDR"] == ["str", "203.0.113.9"]
        assert found["REMOTE_PORT"] == ["str", "4711"]
        assert found["PROXY_PROTOCOL"] == ["str", "TCP4"]


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_packets_behind_it_go_with_it(shared: Start, kind: Kind) -> None:
    shift = serve(shared, kind)
    raw = (
        request("/echo", BODY) + request("/hello") + request("/echo", b"x", HTTP_CONNECTION="close")
    )
    with in_a_busy_worker(shift, raw[:500]) as (wire, idle):
        responses = [wire.send(raw[500:]).response(), wire.response(), wire.response()]
        assert [response.body for response in responses] == [BODY, b"Hello, World!", b"x"]
        assert {worker(response) for response in responses} == {idle}
        assert wire.is_closed()


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_bad_packet(shared: Start, kind: Kind) -> None:
    shift = serve(shared, kind)
    raw = packet({"REQUEST_METHOD": "GET", "HTTP_X_Y": "\r\n"})
    with in_a_busy_worker(shift, raw[:10]) as (wire, _):
        found = wire.send(raw[10:]).read_to_close()
        assert found.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"&#x27;HTTP_X_Y&#x27;" in found
