"""`-k asgi`: what applications, clients and operators see of it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.mode import Mode
from harness.server import Command, Server, Spawn, clean_environment, spawner, thirdparty
from harness.wait import until
from harness.websocket import talk
from harness.wire import Closed, Response, Wire, get, post

APPS = Path(__file__).parent / "async_apps"
ENV = {"PYTHONPATH": str(APPS)}

HOOKS = """
def pre_request(worker, req):
    worker.log.info("pre_request %s %s", req.method, req.path)

def post_request(worker, req, environ, resp):
    worker.log.info("post_request %s %s %s", req.path, environ["REQUEST_METHOD"], resp.status)
"""

SETTINGS = {
    "worker_class": "asgi",
    "accesslog": "-",
    "access_log_format": "ACCESS %(h)s %(m)s %(U)s %(q)s %(s)s %(B)s %({x-page}o)s %({x-tell}i)s",
    "root_path": "/mounted",
    "asgi_loop": "asyncio",
    "asgi_disconnect_grace_period": 0,
    "websocket_max_message_size": 1000,
    "limit_request_fields": 20,
    "limit_request_field_size": 500,
    "limit_request_line": 300,
    "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
    "forwarder_headers": "X_TOLD",
}


@pytest.fixture
def spawn(beside_others: Command, tmp_path: Path) -> Iterator[Spawn]:
    """Servers of one test."""
    with spawner(tmp_path, beside_others) as started:
        yield started


@pytest.fixture(scope="module")
def server(beside_others: Command, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that only asks."""
    with spawner(tmp_path_factory.mktemp("asgi"), beside_others) as started:
        yield started("plain:app", settings=SETTINGS, config=HOOKS, env=ENV)


def ask(server: Server, raw: bytes) -> Response:
    """One request on a connection of its own, which the client ends."""
    with Wire(server.address) as wire:
        return wire.send(raw).response()


def shown(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)
    return found


def test_scope(server: Server) -> None:
    scope = shown(ask(server, get("/mounted/a%20b?x=%20y", "X-Some: thing")))
    assert scope["method"] == "GET"
    assert (scope["path"], scope["raw_path"]) == ("/mounted/a b", "/mounted/a%20b")
    assert (scope["query_string"], scope["root_path"]) == ("x=%20y", "/mounted")
    assert (scope["scheme"], scope["http_version"]) == ("http", "1.1")
    assert scope["asgi"]["version"] == "3.0"
    assert scope["server"] == list(server.address)
    assert scope["client"][0] == "127.0.0.1"
    assert scope["state"] == {"since": "startup"}
    assert ["x-some", "thing"] in scope["headers"]


@pytest.mark.parametrize(
    ("source", "fields", "scheme"),
    [
        ("127.0.0.1", ["X-Forwarded-Proto: https"], "https"),
        ("127.0.0.1", ["X-Forwarded-Proto: HTTPS"], "http"),
        # A stranger, as `forwarded_allow_ips` has it.
        ("127.0.0.2", ["X-Forwarded-Proto: https"], "http"),
    ],
)
def test_who_is_believed(server: Server, source: str, fields: list[str], scheme: str) -> None:
    with Wire(server.address, source=source) as wire:
        wire.send(get("/", *fields, "X-Forwarded-For: 9.9.9.9", "X_Told: 1", "X_Other: 2"))
        scope = shown(wire.response())
    assert scope["scheme"] == scheme
    # The peer stays the peer.
    assert scope["client"][0] == source
    names = [name for name, _ in scope["headers"] if "_" in name]
    assert names == (["x_told"] if source == "127.0.0.1" else [])


def test_scheme_headers_that_disagree(server: Server) -> None:
    fields = ("X-Forwarded-Proto: https", "X-Forwarded-Proto: http")
    assert ask(server, get("/", *fields)).status == 400


def test_bodies(server: Server) -> None:
    sent = bytes(range(256)) * 1000
    with Wire(server.address) as wire:
        answer = wire.send(post("/body", sent)).response()
        assert (answer.status, answer.body) == (201, sent)
        assert wire.send(get("/stream")).response().chunks == [b"one ", b"two ", b"three"]


@pytest.mark.parametrize(
    ("name", "request_bytes", "status"),
    [
        ("line", get("/refused" + "a" * 300), 414),
        ("field", get("/refused", "X-Long: " + "a" * 500), 431),
        ("fields", get("/refused", *(f"X-{number}: 1" for number in range(21))), 431),
    ],
)
def test_limits(server: Server, name: str, request_bytes: bytes, status: int) -> None:
    with Wire(server.address) as wire:
        answer = wire.send(request_bytes).response()
        assert (answer.status, answer.header("Connection")) == (status, "close")
        assert wire.is_closed()
    assert ask(server, get(f"/after/{name}")).status == 200
    log = server.wait_log(f"ACCESS 127.0.0.1 GET /after/{name} ")
    assert "/refused" not in log


def test_access_log_and_hooks(server: Server) -> None:
    raw = post("/hooks/body?q=1", b"hello", "X-Tell: me")
    assert ask(server, raw).status == 201
    log = server.wait_log("post_request /hooks/body POST 201")
    line = next(line for line in log.splitlines() if line.startswith("ACCESS") and "q=1" in line)
    assert line == "ACCESS 127.0.0.1 POST /hooks/body q=1 201 5 yes me"
    assert log.index("pre_request POST /hooks/body") < log.index(line)


@pytest.mark.parametrize(
    ("page", "line"),
    [("boom", "500 0"), ("silent", "500 0"), ("late", "200 5")],
)
def test_applications_that_fail(server: Server, page: str, line: str) -> None:
    with Wire(server.address) as wire:
        wire.send(get(f"/{page}"))
        if page == "late":
            assert b"begun" in wire.read_to_close()
        else:
            answer = wire.response()
            assert (answer.status, answer.body) == (500, b"Internal Server Error")
    server.wait_log(f"ACCESS 127.0.0.1 GET /{page}  {line} ")
    if page == "boom":
        server.wait_log("ValueError: out of luck")


def test_who_has_left_is_not_worked_for(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send(get("/endless"))
        server.wait_log("endless has begun")
    server.wait_log("endless was cancelled")
    server.wait_log("ACCESS 127.0.0.1 GET /endless  500 0")


def test_websocket(server: Server) -> None:
    assert talk(server, "/ws", "hello", "x" * 1000) == ["5: hello", f"1000: {'x' * 1000}"]


def test_websocket_limits_and_failures(server: Server) -> None:
    assert talk(server, "/ws", "fine", "x" * 1001) == ["4: fine", 1009]
    assert talk(server, "/ws", "boom") == [1011]
    server.wait_log("ValueError: in a conversation")


def test_stop_reload_and_max_requests(spawn: Spawn, tmp_path: Path) -> None:
    """The life of workers: replaced at HUP and at `max_requests`, ended by TERM."""
    settings = {"worker_class": "asgi", "max_requests": 20, "keepalive": 0}
    server = spawn("plain:app", settings=settings, env=ENV)

    def another(pid: int) -> bool:
        try:
            answer = ask(server, get("/"))
        except (ConnectionError, Closed):
            # Taken by the worker that leaves, which closes what has not asked yet.
            return False
        assert answer.header("Connection") == "close"
        return bool(shown(answer)["pid"] != pid)

    first = shown(ask(server, get("/")))["pid"]
    server.send_signal(signal.SIGHUP)
    until(lambda: another(first), "a new worker", show=server.log)
    until(lambda: first not in server.workers(), "the old worker to leave", show=server.log)
    second = shown(ask(server, get("/")))["pid"]
    until(lambda: another(second), "a worker beyond max_requests", show=server.log)
    until(lambda: second not in server.workers(), "its predecessor to leave", show=server.log)
    server.wait_log("Autorestarting worker after current request.")

    gate = tmp_path / "gate"
    with Wire(server.address) as wire:
        wire.send(get(f"/gate?{gate}"))
        server.wait_log("in the gate")
        ended = server.log().count("lifespan has ended")
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate.touch()
        assert wire.response().body == b"through"
    assert server.wait_exit() == 0
    assert server.log().count("lifespan has ended") == ended + 1
    assert "was sent SIG" not in server.log()


@pytest.mark.parametrize("keepalive", [0, 5])
def test_the_end_of_a_connection_is_said_once(
    beside_others: Command, spawn: Spawn, keepalive: int
) -> None:
    """Whoever says it: the setting, the client, the application, uvicorn, a stop to come."""
    if beside_others.is_gunicorn:
        pytest.skip("ours: shutdown_delay")
    settings = {"worker_class": "asgi", "keepalive": keepalive, "shutdown_delay": 300}
    settings |= {"limit_request_fields": 10}
    server = spawn("plain:app", settings=settings, env=ENV)
    server.send_signal(signal.SIGTERM)
    # From the moment in which the master says so, nothing promises another request.
    until(
        lambda: ask(server, get("/")).header("Connection") == "close",
        "a stop that is coming",
        show=server.log,
    )
    many = [f"X-{number}: 1" for number in range(11)]
    for raw, status in (
        (get("/"), 200),
        (get("/", "Connection: close"), 200),
        (get("/", "Connection: keep-alive"), 200),
        (get("/closes"), 200),
        (get("/promises"), 200),
        (get("/stream"), 200),
        (get("/boom"), 500),
        (get("/", *many), 431),
        (b"GET / HTTP/1.1\r\nbad field\r\n\r\n", 400),
    ):
        with Wire(server.address) as wire:
            answer = wire.send(raw).response()
            assert (answer.status, answer.header("Connection")) == (status, "close"), raw
            assert wire.is_closed()
    assert talk(server, "/ws", "hello") == ["5: hello"]
    server.send_signal(signal.SIGQUIT)
    assert server.wait_exit() == 0


def test_a_lifespan_that_can_not_start(spawn: Spawn) -> None:
    server = spawn(
        "plain:refuses_to_start", settings={"worker_class": "asgi"}, env=ENV, ready=False
    )
    assert server.wait_exit() == 3
    assert "the database is gone" in server.log()
    assert "Worker failed to boot." in server.log()


LOGGER = """
from gunicorn import glogging

class Counting(glogging.Logger):
    def access(self, resp, req, environ, request_time):
        self.info("counted %s %s %s", req.uri, resp.status, environ["REMOTE_ADDR"] or "unix")

logger_class = Counting
"""


def test_a_unix_socket(spawn: Spawn) -> None:
    """Who connects is trusted; a logger of one's own is called without an access log."""
    mode = Mode(transport="unix")
    server = spawn("plain:app", mode, settings={"worker_class": "asgi"}, config=LOGGER, env=ENV)
    scope = shown(ask(server, get("/", "X-Forwarded-Proto: https")))
    assert scope["client"] is None
    if server.command.is_gunicorn:
        # Two characters of the path.
        assert scope["server"] == ["/", "t"]
        return
    assert scope["scheme"] == "https"
    assert scope["server"] == [server.address, None]
    server.wait_log("counted / 200 OK unix")


def test_what_uvicorn_can_not_do(tmp_path: Path) -> None:
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    (tmp_path / "uvloop.py").write_text("raise ImportError('not on this machine')")

    def checked(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ours.argv, "-k", "asgi", *args, "plain:app"],
            cwd=tmp_path,
            env=clean_environment(ENV),
            capture_output=True,
            text=True,
            timeout=60,
        )

    for args, text in (
        (["--asgi-loop", "uvloop"], "asgi_loop = 'uvloop' needs the package uvloop"),
        (["--proxy-protocol", "v1"], "proxy_protocol = 'v1' can not be used with the asgi worker"),
    ):
        done = checked("--check-config", *args)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"\nError: {text}"), done.stderr

    with spawner(tmp_path, ours) as spawn:
        settings = {"worker_class": "asgi", "casefold_http_method": True}
        server = spawn("plain:app", settings=settings, env=ENV)
        server.wait_log("casefold_http_method = True has no effect with the asgi worker: uvicorn's")
