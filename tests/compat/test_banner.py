"""How config files change what the server calls itself."""

from __future__ import annotations

import json
import signal

import pytest

from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Response, ask, get

pytestmark = pytest.mark.only("none of this depends on the transport", "tcp")

# As they are found in the wild, and what is left of the Server field.
PATCHES = {
    "package": ("import gunicorn\ngunicorn.SERVER = 'shop'", "shop"),
    "module": (
        "import gunicorn\nimport gunicorn.http.wsgi\n"
        "gunicorn.SERVER = 'late'\ngunicorn.http.wsgi.SERVER = 'shop'",
        "shop",
    ),
    "wrapped method": (
        """
import functools
from gunicorn.http import wsgi

def without_server(method):
    @functools.wraps(method)
    def default_headers(*args, **kwargs):
        lines = method(*args, **kwargs)
        return [line for line in lines if not line.startswith("Server: ")]
    return default_headers

wsgi.Response.default_headers = without_server(wsgi.Response.default_headers)
""",
        None,
    ),
    "class": (
        """
import gunicorn.http.wsgi

class Response(gunicorn.http.wsgi.Response):
    def default_headers(self, *args, **kwargs):
        lines = super().default_headers(*args, **kwargs)
        return ["Server: shop\\r\\n" if line.startswith("Server:") else line for line in lines]

gunicorn.http.wsgi.Response = Response
""",
        "shop",
    ),
}


def asked(server: Server) -> Response:
    return ask(server.address, get("/"))


@pytest.mark.parametrize("name", PATCHES)
def test_patches_in_the_wild(spawn: Spawn, mode: Mode, name: str) -> None:
    config, expected = PATCHES[name]
    server = spawn("environ:app", mode, config=config)
    response = asked(server)
    assert (response.status, response.header("Server")) == (200, expected)
    assert response.header("Date") and response.header("Connection")
    assert "[WARNING]" not in server.log()


def test_server_software(spawn: Spawn, mode: Mode) -> None:
    config = """
import gunicorn, os
gunicorn.SERVER_SOFTWARE = 'shop/1'
def post_worker_init(worker): worker.log.info("process: %s", os.environ["SERVER_SOFTWARE"])
"""
    server = spawn("environ:app", mode, config=config)
    response = asked(server)
    assert json.loads(response.body)["SERVER_SOFTWARE"] == ["str", "shop/1"]
    # Difference banner.
    server.wait_log(f"process: {'gunicorn/27.0.1' if server.command.is_gunicorn else 'shop/1'}")
    # It is no part of the response.
    assert "gunicorn" in (response.header("Server") or "")


@pytest.mark.ours("Gunicorn reads it once")
def test_a_reload_counts(spawn: Spawn, mode: Mode) -> None:
    server = spawn("environ:app", mode, config="import gunicorn\ngunicorn.SERVER = 'one'")
    assert asked(server).header("Server") == "one"
    path = server.directory / "gunicorn.conf.py"
    path.write_text(path.read_text().replace("'one'", "'two'"))
    server.send_signal(signal.SIGHUP)
    until(lambda: asked(server).header("Server") == "two", "the new name", show=server.log)


@pytest.mark.ours("Gunicorn sends what it is given, and fails as the patch does")
@pytest.mark.parametrize(
    ("config", "expected", "warning"),
    [
        ("import gunicorn\ngunicorn.SERVER = 'a\\r\\nX: b'", "rgunicorn", "can not be the value"),
        (
            "from gunicorn.http import wsgi\n"
            "lines = wsgi.Response.default_headers\n"
            "wsgi.Response.default_headers = lambda self: [*lines(self)[:1], 'Server: mine\\r\\n', "
            "*lines(self)[2:], 'X-More: 1\\r\\n']",
            "mine",
            "only what it does to the Server line has an effect",
        ),
        (
            "from gunicorn.http import wsgi\n"
            "wsgi.Response.default_headers = lambda self: self.no_such_thing",
            "rgunicorn",
            "and fails",
        ),
        (
            "from gunicorn.http import wsgi\nclass Response: ...\nwsgi.Response = Response",
            "rgunicorn",
            "no subclass of what it replaces",
        ),
    ],
    ids=["line end", "more lines", "failing", "stranger"],
)
def test_what_can_not_be_followed_is_named(
    spawn: Spawn, mode: Mode, config: str, expected: str, warning: str
) -> None:
    server = spawn("environ:app", mode, config=config)
    response = asked(server)
    assert (response.status, response.header("Server")) == (200, expected)
    assert response.header("X-More") is None and response.header("X") is None
    server.wait_log(warning)
