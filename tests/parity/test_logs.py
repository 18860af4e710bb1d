"""The same requests to both servers: error log lines and access log lines."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.compare import same
from harness.server import Command, Server, Spawn
from harness.wait import until
from harness.wire import exchange, get, post
from parity import normal

if TYPE_CHECKING:
    from parity.conftest import MakePair, Pair

ATOMS = (
    "h=%(h)s l=%(l)s u=%(u)s r=%(r)s m=%(m)s U=%(U)s q=%(q)s H=%(H)s s=%(s)s B=%(B)s b=%(b)s "
    "f=%(f)s a=%(a)s T=%(T)s host=%({host}i)s none=%({x-none}i)s type=%({content-type}o)s "
    "raw=%({raw_uri}e)s odd=%(odd)s pct=%%"
)
REQUESTS = [
    get("/hello"),
    get("/hello?q=%20x&y", 'User-Agent: probe/1 ("quoted")', "Referer: http://a.test/\xe9"),
    get("/hello/%C3%A9%20%22", "Authorization: Basic dXNlcjpwYXNz"),
    get("/hello", "Authorization: Basic !!!"),
    get("/hello", "Authorization: Bearer abc"),
    get("/hello", method="HEAD"),
    get("/stream", version="1.0"),
    post("/echo", b"body"),
    get("/status?s=304+Not+Modified"),
    get("/status?s=404+Gone+Fishing"),
    get("/bytes?n=100000"),
    get("/bytes?n=100000&chunked"),
    get("/long"),
    # Gunicorn's gthread would keep this one open.
    get("/short", "Connection: close"),
    get("/empty"),
    get("/hello", "X_Under: 1", "X-Fine: \t padded"),
]
EXIT = pytest.param(
    "/exit?code=3",
    marks=pytest.mark.only("in gthread Gunicorn's worker leaves: difference gthread-exit", "sync"),
)
FAILING = ["/raise", "/raise-late", "/twice", "/start?status-word", EXIT]
REFUSED = [
    b"GARBAGE\r\n\r\n",
    b"get / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/3.0\r\n\r\n",
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n",
    get("/", "X Y: z"),
    get("/", "X: a\r\n b"),
    get("/", "Host: twice"),
    get("/", "Content-Length: x"),
    get("/", "Content-Length: 1", "Transfer-Encoding: chunked"),
    get("/", "Transfer-Encoding: gzip"),
    get("/", "Expect: nonsense"),
    get("/", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),
    get("/echo", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n",
    get("/echo", "Transfer-Encoding: chunked", method="POST") + b"2\r\nabcd\r\n",
    get("/", *[f"X-{i}: v" for i in range(120)]),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(b"f" * 12345)
    return path


def say(server: Server, raw: bytes) -> None:
    with contextlib.suppress(ConnectionResetError):
        exchange(server.address, raw)


def new_lines(server: Server, path: Path, raw: bytes, count: int = 1) -> list[str]:
    """The lines `raw` adds to the file at `path`, without what differs from run to run."""
    seen = len(path.read_text(errors="replace")) if path.exists() else 0
    say(server, raw)

    def added() -> str:
        return path.read_text(errors="replace")[seen:]

    until(lambda: added().count("\n") >= count, f"{count} lines in {path}", show=server.log)
    return normal.log_lines(added(), str(server.directory))


def wait_booted(pair: Pair) -> None:
    """A worker that listens may not have written its first line yet."""
    for server in pair:
        server.wait_log("Booting worker with pid")


@pytest.mark.parametrize("form", [None, ATOMS], ids=["default format", "all atoms"])
@pytest.mark.parametrize(
    "raw", REQUESTS, ids=[repr(raw.split(b"\r\n")[0])[2:-1] for raw in REQUESTS]
)
def test_access_lines(shared_pair: MakePair, form: str | None, raw: bytes) -> None:
    settings: dict[str, object] = {"accesslog": "access.log"}
    if form:
        settings["access_log_format"] = form
    pair = shared_pair("kitchen:app", settings=settings)
    theirs, ours = (new_lines(server, server.directory / "access.log", raw) for server in pair)
    same(without_time(ours), without_time(theirs), "access lines")


def without_time(lines: list[str]) -> list[str]:
    """The default format has the time in brackets after the user."""
    return [
        line[: line.find("[")] + line[line.find("]") + 1 :] if "[" in line else line
        for line in lines
    ]


def test_access_line_of_a_file(shared_pair: MakePair, command: Command, file: Path) -> None:
    """Difference bytes-of-sendfile."""
    settings = {"accesslog": "access.log", "access_log_format": "%(s)s %(b)s %(B)s"}
    pair = shared_pair("kitchen:app", settings=settings, env={"FILE": str(file)})
    ours = new_lines(pair.ours, pair.ours.directory / "access.log", get("/file"))
    same(ours, ["200 0 0"] if command.is_gunicorn else ["200 12345 12345"])


@pytest.mark.parametrize("path", FAILING)
def test_error_log_of_a_failing_app(shared_pair: MakePair, path: str) -> None:
    settings = {"accesslog": "access.log", "access_log_format": "%(s)s %(r)s %(h)s"}
    pair = shared_pair("kitchen:app", settings=settings)
    wait_booted(pair)
    # The error line, `Traceback`, a frame and the exception at least.
    theirs, ours = (new_lines(server, server.log_path, get(path), 4) for server in pair)
    same(ours, theirs, "error log")


@pytest.mark.parametrize("path", ["/raise", "/start?status-word", EXIT])
def test_access_line_of_a_failing_app(shared_pair: MakePair, path: str) -> None:
    settings = {"accesslog": "access.log", "access_log_format": "%(s)s %(r)s %(h)s %(m)s %(q)s"}
    pair = shared_pair("kitchen:app", settings=settings)
    theirs, ours = (
        new_lines(server, server.directory / "access.log", get(path)) for server in pair
    )
    same(ours, theirs, "access log")


@pytest.mark.gunicorn_bug("two lines: 200, then 500")
@pytest.mark.parametrize("path", ["/twice", "/raise-iter"])
def test_one_access_line_when_the_iterator_fails(mode_spawn: Spawn, path: str) -> None:
    settings = {"accesslog": "access.log", "access_log_format": "%(s)s %(r)s"}
    server = mode_spawn("kitchen:app", settings=settings)
    log = server.directory / "access.log"
    for asked in (path, "/hello"):
        # Another thread may write the second line before the first: that one comes after its end.
        say(server, get(asked))
        until(lambda a=asked: f" {a} " in log.read_text(), f"line of {asked}", show=server.log)
    same(log.read_text().splitlines(), [f"500 GET {path} HTTP/1.1", "200 GET /hello HTTP/1.1"])


@pytest.mark.parametrize("raw", REFUSED, ids=[repr(raw)[2:40] for raw in REFUSED])
def test_error_log_of_a_refused_request(shared_pair: MakePair, raw: bytes) -> None:
    pair = shared_pair("kitchen:app")
    wait_booted(pair)
    theirs, ours = (new_lines(server, server.log_path, raw) for server in pair)
    same(ours, theirs, "error log")


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_level_of_refusals(shared_pair: MakePair, level: str) -> None:
    pair = shared_pair("kitchen:app", settings={"loglevel": level})
    said = []
    for server in pair:
        say(server, b"GARBAGE\r\n\r\n")
        # The error is there in any case and comes after the refusal.
        server_lines = new_lines(server, server.log_path, get("/raise"), 4)
        said.append("Invalid request from ip" in server.log())
        assert any("Error handling request" in line for line in server_lines)
    assert said == [level in ("debug", "info", "warning")] * 2


@pytest.mark.parametrize("workers", [1, 3])
def test_life_of_a_server(pair: MakePair, workers: int) -> None:
    logs = []
    for server in pair("kitchen:app", settings={"workers": workers}):
        server.wait_log("Booting worker with pid", workers)
        log = server.assert_clean_exit()
        # Lines of several processes interleave: the master's own order is looked at by itself.
        lines = normal.log_lines(log, str(server.directory))
        logs.append((sorted(lines), [line for line in lines if "orker" not in line]))
    same(logs[1][0], logs[0][0], "all lines")
    same(logs[1][1], logs[0][1], "lines of the master, in order")


def test_errorlog_in_a_file(pair: MakePair) -> None:
    logs = []
    for server in pair("kitchen:app", settings={"errorlog": "error.log", "loglevel": "warning"}):
        say(server, get("/raise"))
        path = server.directory / "error.log"
        until(
            lambda path=path: "RuntimeError" in path.read_text(), "the traceback", show=server.log
        )
        logs.append(normal.log_lines(path.read_text()))
        assert "RuntimeError" not in server.log()
    same(logs[1], logs[0])
