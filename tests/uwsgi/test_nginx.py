"""Real nginx in front, by uwsgi_pass."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.nginx import Nginx, available, nginx
from harness.server import Kitchen, Server
from harness.wire import Response, Wire, chunked, get, post

pytestmark = pytest.mark.skipif(not available(), reason="nginx is not installed")

LOCATIONS = {
    "/": "uwsgi_param UWSGI_PARAM foo; uwsgi_param foo bar;",
    "/mount": "uwsgi_param SCRIPT_NAME /mount;",
    "/cut/": "uwsgi_param SCRIPT_NAME /cut; rewrite ^/cut(.*)$ $1 break;",
    "/who/": "uwsgi_param REMOTE_ADDR 203.0.113.9; uwsgi_param HTTPS on; "
    "uwsgi_param REMOTE_USER anna;",
    "/unbuffered/": "rewrite ^/unbuffered(.*)$ $1 break; uwsgi_request_buffering off; "
    "uwsgi_buffering off;",
}
BIG = random.Random(3).randbytes(1_000_000)


@dataclass
class Site:
    server: Server
    proxy: Nginx

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.proxy.port)

    def ask(self, raw: bytes, method: str = "GET") -> Response:
        with Wire(self.address) as wire:
            return wire.send(raw).response(method)

    def environ(self, raw: bytes) -> dict[str, object]:
        response = self.ask(raw)
        assert response.status == 200, response
        return {key: value for key, (_, value) in json.loads(response.body).items()}


@pytest.fixture(scope="module")
def site(kitchen: Kitchen, mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # nginx closes what it is done with; a connection that it waited for would last 30 seconds.
    server = kitchen(protocol="uwsgi", access_log_format="%(h)s %(r)s %(s)s %(B)s", accesslog="-")
    directory: Path = tmp_path_factory.mktemp("nginx")
    with nginx(directory, server.address, uwsgi=LOCATIONS) as proxy:
        yield Site(server, proxy)
        assert "[alert]" not in proxy.error_log()


@pytest.mark.gunicorn_bug("the peer is nginx, the path decoded twice, no custom parameter")
def test_get(site: Site) -> None:
    found = site.environ(get("/environ/a%20b%2Fc/%C3%A9/%2541?x=%20y", "X-Mine: 1"))
    assert found.pop("REMOTE_PORT") != ""
    same(
        {name: value for name, value in found.items() if "." not in name},
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/environ/a b/c/\xc3\xa9/%41",
            "QUERY_STRING": "x=%20y",
            "RAW_URI": "/environ/a%20b%2Fc/%C3%A9/%2541?x=%20y",
            "REQUEST_URI": "/environ/a%20b%2Fc/%C3%A9/%2541?x=%20y",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": found["SERVER_SOFTWARE"],
            "SERVER_NAME": found["SERVER_NAME"],
            "SERVER_PORT": str(site.proxy.port),
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_SCHEME": "http",
            "DOCUMENT_ROOT": found["DOCUMENT_ROOT"],
            "CONTENT_TYPE": "",
            "CONTENT_LENGTH": "",
            "HTTP_HOST": found["HTTP_HOST"],
            "HTTP_X_MINE": "1",
            "UWSGI_PARAM": "foo",
            "foo": "bar",
        },
    )


@pytest.mark.gunicorn_bug("ignored")
def test_a_later_uwsgi_param_overrides(site: Site) -> None:
    found = site.environ(get("/who/"))
    wanted = {"REMOTE_ADDR": "203.0.113.9", "HTTPS": "on", "wsgi.url_scheme": "https"}
    wanted |= {"REMOTE_USER": "anna"}
    same({name: found[name] for name in wanted}, wanted)
    site.server.wait_log("203.0.113.9 GET /who/ HTTP/1.1 200")


@pytest.mark.parametrize("mount", ["mount", "cut"])
@pytest.mark.gunicorn_bug("SCRIPT_NAME is ignored")
def test_a_mount(site: Site, mount: str) -> None:
    found = site.environ(get(f"/{mount}/{mount}/a%20b"))
    expected = (f"/{mount}", f"/{mount}/a b", f"/{mount}/{mount}/a%20b")
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["RAW_URI"]) == expected


@pytest.mark.parametrize("path", ["/echo", "/unbuffered/echo"])
def test_upload(site: Site, path: str) -> None:
    assert site.ask(post(path, BIG)).body == BIG


@pytest.mark.parametrize("path", ["/echo", "/unbuffered/echo"])
def test_chunked_upload(site: Site, path: str) -> None:
    """nginx counts before it sends."""
    raw = get(path, "Transfer-Encoding: chunked", method="POST")
    assert site.ask(raw + chunked(BIG[:70_000], BIG[70_000:])).body == BIG


def test_expect_continue(site: Site) -> None:
    with Wire(site.address) as wire:
        wire.send(post("/echo", b"abc", "Expect: 100-continue"))
        response = wire.response()
        assert response.body == b"abc"


def test_head(site: Site) -> None:
    response = site.ask(b"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD")
    assert response.status == 200
    assert response.header("Content-Length") is not None


@pytest.mark.parametrize("status", [204, 304, 404, 500])
def test_status(site: Site, status: int) -> None:
    with Wire(site.address) as wire:
        wire.send(get(f"/status?s={status}%20Word"))
        assert wire.response().status == status
        # The client's connection goes on.
        assert wire.send(get("/hello")).response().status == 200


def test_a_stream(site: Site) -> None:
    """No length: the end of the connection to nginx is the end of the response."""
    response = site.ask(get("/stream/5"))
    assert response.header("Transfer-Encoding") == "chunked"
    direct = site.ask(get("/stream/5"))
    assert response.body == direct.body != b""


def test_a_file(site: Site, big_file: Path) -> None:
    assert site.ask(get("/file")).body == big_file.read_bytes()


def test_a_large_response(site: Site) -> None:
    assert site.ask(get("/bytes?n=5000000")).body == b"x" * 5_000_000


def test_an_error(site: Site) -> None:
    assert site.ask(get("/raise")).status == 500


@pytest.mark.gunicorn_bug("sends 103, which nginx takes for the response")
def test_early_hints(site: Site) -> None:
    response = site.ask(get("/early"))
    assert (response.status, response.body) == (200, b"ok")


def test_many_on_one_connection(site: Site) -> None:
    with Wire(site.address) as wire:
        for _ in range(50):
            assert wire.send(get("/hello")).response().status == 200
            assert wire.send(post("/echo", b"abc")).response().body == b"abc"


@pytest.mark.gunicorn_bug("a traceback for each connection that ends")
def test_nothing_went_wrong(site: Site) -> None:
    """Runs last."""
    assert "[error]" not in site.proxy.error_log()
    assert "[WARNING] Invalid" not in site.server.log()
