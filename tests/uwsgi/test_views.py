"""A uwsgi request in hooks, access lines and custom loggers."""

from __future__ import annotations

import json

import pytest

from harness.compare import same
from harness.server import Server, Spawn
from harness.uwsgi import request
from harness.wire import Wire

HOOKS = """
import json
from gunicorn.glogging import Logger

def pre_request(worker, req):
    worker.log.info("PRE %s", json.dumps({
        "class": type(req).__name__, "method": req.method, "uri": req.uri, "path": req.path,
        "query": req.query, "version": req.version, "scheme": req.scheme, "peer": req.peer_addr[0],
        "headers": req.headers, "vars": req.uwsgi_vars, "modifier1": req.modifier1,
        "close": req.should_close(), "number": req.req_number, "body": req.proxy_protocol_info,
    }))
    req.headers.append(("X-ADDED", "by the hook"))

def post_request(worker, req, environ, resp):
    worker.log.info("POST %s %s %s", req.uri, environ["REMOTE_ADDR"], resp.status)

class Mine(Logger):
    def access(self, resp, req, environ, request_time):
        self.info("ACCESS %s %s %s", resp.status, req.uri, self.atoms(
            resp, req, environ, request_time)["h"])
        super().access(resp, req, environ, request_time)
"""
FORMAT = "%(h)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(B)s|%(f)s|%(a)s|%(u)s|%({x-y}i)s|%({foo}e)s"
RAW = request(
    "/environ/%41%2541?q=1",
    PATH_INFO="/environ/A%41",
    SERVER_PROTOCOL="HTTP/2.0",
    HTTP_REFERER="r",
    HTTP_USER_AGENT="curl",
    HTTP_X_Y="z",
    HTTP_AUTHORIZATION="Basic YW5uYTpw",
    HTTP_CONNECTION="close",
    foo="bar",
)


@pytest.fixture(scope="module")
def servers(module_spawn: Spawn) -> dict[str, Server]:
    settings = {"protocol": "uwsgi", "accesslog": "-", "access_log_format": FORMAT}
    hooks = HOOKS + "logger_class = Mine\n"
    return {
        "native": module_spawn("environ:app", settings=settings),
        "hooks": module_spawn("environ:app", settings=settings, config=hooks),
    }


def ask(server: Server) -> dict[str, object]:
    with Wire(server.address) as wire:
        body = wire.send(RAW).response().body
    return {key: value for key, (_, value) in json.loads(body).items()}


@pytest.mark.parametrize("name", ["native", "hooks"])
@pytest.mark.gunicorn_bug(
    "address, target and version are not the client's; the path is decoded twice"
)
def test_access_line(servers: dict[str, Server], name: str) -> None:
    """Rendered in Rust and by the logger: the same."""
    server = servers[name]
    ask(server)
    log = server.wait_log("198.51.100.7|")
    line = next(line for line in log.splitlines() if line.startswith("198.51.100.7|"))
    fields = line.split("|")
    size = fields.pop(7)
    assert int(size) > 500
    same(
        fields,
        [
            "198.51.100.7",
            "GET /environ/%41%2541?q=1 HTTP/2.0",
            "GET",
            "/environ/A%41",
            "q=1",
            "HTTP/2.0",
            "200",
            "r",
            "curl",
            "anna",
            "z",
            "bar",
        ],
    )


@pytest.mark.gunicorn_bug("the URI is made of the decoded path")
def test_hooks(servers: dict[str, Server]) -> None:
    server = servers["hooks"]
    assert ask(server)["HTTP_X_ADDED"] == "by the hook"
    log = server.wait_log("POST /environ/%41%2541?q=1 198.51.100.7 200 OK")
    assert "ACCESS 200 OK /environ/%41%2541?q=1 198.51.100.7" in log
    seen = json.loads(
        next(line for line in log.splitlines() if " PRE " in line).partition("PRE ")[2]
    )
    variables = seen.pop("vars")
    headers = dict(seen.pop("headers"))
    same(
        seen,
        {
            "class": "UWSGIRequest",
            "method": "GET",
            "uri": "/environ/%41%2541?q=1",
            "path": "/environ/A%41",
            "query": "q=1",
            "version": [2, 0],
            "scheme": "http",
            "peer": "127.0.0.1",
            "modifier1": 0,
            "close": True,
            "number": 1,
            "body": None,
        },
    )
    same([variables[key] for key in ("HTTP_X_Y", "foo", "CONTENT_LENGTH")], ["z", "bar", ""])
    same([headers[key] for key in ("X-Y", "USER-AGENT", "CONTENT-LENGTH")], ["z", "curl", ""])


@pytest.mark.gunicorn_bug("500 with a traceback")
def test_a_refused_packet_that_was_a_request(servers: dict[str, Server]) -> None:
    server = servers["native"]
    with Wire(server.address) as wire:
        wire.send(request("/bad", CONTENT_LENGTH="x")).read_to_close()
    server.wait_log("198.51.100.7|GET /bad HTTP/1.1|GET|/bad||HTTP/1.1|400|0|")
