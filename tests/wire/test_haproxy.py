"""Real HAProxy in front, with the PROXY protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.haproxy import available, haproxy
from harness.mode import Mode
from harness.server import Kitchen, Server
from harness.uwsgi import request
from harness.wait import until
from harness.wire import Response, Wire, get, post

pytestmark = pytest.mark.skipif(not available(), reason="haproxy is not installed")

KEYS = ("REMOTE_ADDR", "REMOTE_PORT", "PROXY_PROTOCOL", "PROXY_ADDR", "PROXY_PORT")
OPTIONS = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    # With TLVs behind the addresses.
    "v2-tlv": "send-proxy-v2 proxy-v2-options crc32c,ssl,cert-cn",
}

Front = dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def server(kitchen: Kitchen) -> Server:
    return kitchen(proxy_protocol="auto")


@pytest.fixture(scope="module")
def front(
    kitchen: Kitchen, server: Server, mode: Mode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    packets = kitchen(proxy_protocol="auto", protocol="uwsgi")
    strict = kitchen(proxy_protocol="auto", proxy_allow_ips="192.0.2.0/24")
    lines = {name: (server.address, options) for name, options in OPTIONS.items()}
    lines |= {
        "uwsgi": (packets.address, "send-proxy-v2"),
        "refused": (strict.address, "send-proxy-v2"),
    }
    with haproxy(tmp_path_factory.mktemp("haproxy"), lines) as addresses:
        yield addresses


def facts(response: Response) -> list[object]:
    assert response.status == 200, response
    found = json.loads(response.body)
    return [found[key][1] for key in KEYS]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_client_is_known(front: Front, name: str) -> None:
    host, port = front[name]
    with Wire((host, port), source="127.0.0.77") as wire:
        own = str(wire.sock.getsockname()[1])
        response = wire.send(get("/environ")).response()
        assert facts(response) == ["127.0.0.77", own, "TCP4", host, str(port)]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.only("sync closes", "gthread")
@pytest.mark.gunicorn_bug("forgotten after the first request")
def test_it_holds_for_the_connection(front: Front, name: str) -> None:
    host, port = front[name]
    with Wire((host, port), source="127.0.0.77") as wire:
        own = str(wire.sock.getsockname()[1])
        for _ in range(3):
            response = wire.send(get("/environ")).response()
            assert facts(response) == ["127.0.0.77", own, "TCP4", host, str(port)]
            assert wire.send(post("/echo", b"body")).response().body == b"body"


@pytest.mark.only("by address", "tcp")
def test_another_proxy_is_refused(front: Front) -> None:
    with Wire(front["refused"]) as wire:
        assert wire.send(get("/environ")).response().status == 403


@pytest.mark.gunicorn_bug("knows no preamble before a uwsgi packet")
def test_before_a_packet(front: Front) -> None:
    host, port = front["uwsgi"]
    with Wire((host, port), source="127.0.0.77") as wire:
        own = str(wire.sock.getsockname()[1])
        wire.send(request("/environ", REMOTE_ADDR=None, REMOTE_PORT=None))
        assert facts(wire.response()) == ["127.0.0.77", own, "TCP4", host, str(port)]


@pytest.mark.gunicorn_bug("a refusal or a traceback for each check")
def test_health_checks_are_silent(
    kitchen: Kitchen, mode: Mode, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They say that nobody stands behind them (UNKNOWN, LOCAL), and leave."""
    server = kitchen(proxy_protocol="auto", accesslog="-")
    check = "check check-send-proxy inter 50ms fall 1"
    directory = tmp_path_factory.mktemp("haproxy")
    lines = {name: (server.address, f"{OPTIONS[name]} {check}") for name in ("v1", "v2")}
    with haproxy(directory, lines) as front:
        log = directory / "haproxy.log"
        for name, address in front.items():
            checked(log, f"Health check for server to-{name}/app succeeded")
            with Wire(address) as wire:
                assert wire.send(get("/hello")).response().status == 200
    until(lambda: server.log().count("GET /hello") == 2, "the access lines")
    assert "Invalid" not in server.log()
    assert "DOWN" not in log.read_text()


def checked(log: Path, told: str) -> None:
    until(lambda: told in log.read_text(), told, show=log.read_text)
