"""Both roads to the access log, the core's and Python's, write the same line of a request."""

from __future__ import annotations

import time

import pytest

from harness.named_lines import read, steady
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import exchange, get, post

# A filter makes the core leave the lines to Python's logging.
FILTERED = """
def post_worker_init(worker):
    worker.log.access_log.addFilter(lambda record: True)
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ATOMS = "%(slot)s %(request_id)s %(traceparent)s %(r)s %(s)s"

REQUESTS = [
    get("/facts"),
    get("/facts?a=b&c=%20", 'User-Agent: probe/1 ("quoted")', "Referer: http://a.test/\xe9"),
    get("/caf%C3%A9/%0A%22", "Authorization: Basic em/DqzpzZWNyZXQ="),
    get("/?%22=;", 'User-Agent: \xff\xa0\xad=\\ "status":200,', "Referer:"),
    get("/", "User-Agent: null", "User-Agent: b"),
    get("http://example.org/absolute?x", f"Traceparent: {PARENT}"),
    get("/", f"Traceparent: {PARENT}", f"Traceparent: {PARENT}"),
    get("/", "Traceparent: 00-nonsense"),
    get("/facts", method="HEAD"),
    get("/facts", version="1.0"),
    get("/renamed"),
    get("/status?404"),
    get("/raise"),
    get("/own", "X-Request-ID: from-the-client"),
    post("/facts", b"body"),
    get("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n",
    get("/", "Content-Length: 1", "Transfer-Encoding: chunked"),
]


def lines(server: Server, count: int) -> list[str]:
    path = server.directory / "access.log"
    return until(
        lambda: len(found := path.read_text().splitlines()) >= count and found,
        f"{count} access lines",
        show=server.log,
    )


@pytest.mark.parametrize("style", ["json", "logfmt", ATOMS], ids=["json", "logfmt", "atoms"])
def test_the_same_text(spawn: Spawn, style: str) -> None:
    written = []
    for config in ("", FILTERED):
        server = spawn(
            "named:app",
            config=config,
            settings={
                "accesslog": "access.log",
                "access_log_format": style,
                "request_id_header": "X-Request-ID",
            },
        )
        for number, raw in enumerate(REQUESTS):
            head, separator, rest = raw.partition(b"\r\n")
            named = b"X-Request-ID: r-%d\r\n" % number if b"X-Request-ID" not in raw else b""
            exchange(server.address, head + separator + named + rest)
        written.append([steady(style, line) for line in lines(server, len(REQUESTS))])
        assert len(written[-1]) == len(REQUESTS), written[-1]
        if style in ("json", "logfmt"):
            for line in lines(server, len(REQUESTS)):
                found = read(style, line)
                assert found["slot"] == 0 and found["request_id"]
                assert found["duration"] >= 0 and "queue_time" in found
    assert written[0] == written[1]


def test_a_proxys_wait_counts(spawn: Spawn) -> None:
    server = spawn("named:app", settings={"accesslog": "access.log", "access_log_format": "json"})
    exchange(server.address, get("/", f"X-Request-Start: t={time.time() - 3600:.3f}"))
    exchange(server.address, get("/"))
    first, second = (read("json", line) for line in lines(server, 2))
    # The header is rounded, up or down.
    assert 3599 < first["queue_time"] < 7200 and second["queue_time"] < 3600


def test_a_lost_request_has_a_line_of_the_same_form(spawn: Spawn) -> None:
    server = spawn(
        "named:app",
        settings={
            "accesslog": "access.log",
            "access_log_format": "json",
            "access_log_when": "4xx",
            "access_log_skip": ["/kill"],
            "request_id_header": "X-Request-ID",
        },
    )
    (worker,) = server.workers()
    exchange(server.address, get("/kill?secret", "X-Request-ID: r-1"))
    (line,) = lines(server, 1)
    found = read("json", line)
    assert {name: found[name] for name in ("method", "path", "status", "pid", "slot")} == {
        "method": "GET",
        "path": "/kill",
        "status": 500,
        "pid": worker,
        "slot": 0,
    }
    assert found["request_id"] == "r-1"
    # Nobody knows.
    assert not {"query", "bytes", "queue_time", "user_agent"} & set(found)
    assert "Lost request: GET /kill (id: r-1, " in server.log()


def test_a_late_request_has_a_line_of_the_same_form(spawn: Spawn) -> None:
    server = spawn(
        "deadlines:app",
        settings={
            "accesslog": "access.log",
            "access_log_format": "json",
            "access_log_when": "sample:1000",
            "request_id_header": "X-Request-ID",
            "request_timeout": 0.3,
            "workers": 1,
        },
    )
    (worker,) = server.workers()
    # The application waits for a file that never comes.
    answer = exchange(server.address, get("/stuck/a?q", "X-Request-ID: r-1", "User-Agent: probe"))
    (line,) = lines(server, 1)
    found = read("json", line)
    assert (found["status"], found["path"], found["query"]) == (504, "/stuck/a", "q")
    assert (found["request_id"], found["user_agent"]) == ("r-1", "probe")
    assert (found["pid"], found["slot"]) == (worker, 0)
    assert b"\r\nX-Request-ID: r-1\r\n" in answer
    assert found["duration"] >= 0.3 and found["queue_time"] >= 0
    assert "REQUEST TIMEOUT: GET /stuck/a (id: r-1) ran for" in server.log()


@pytest.mark.parametrize("config", ["", FILTERED], ids=["core", "python"])
def test_a_failed_request_tells_how_long_it_ran(spawn: Spawn, config: str) -> None:
    settings = {"accesslog": "access.log", "access_log_format": "json", "access_log_when": "slow:1"}
    server = spawn("named:app", config=config, settings=settings)
    exchange(server.address, get("/raise"))
    exchange(server.address, get("/raise?1.1"))
    (line,) = lines(server, 1)
    found = read("json", line)
    assert (found["query"], found["status"]) == ("1.1", 500)
    assert found["duration"] >= 1.1
