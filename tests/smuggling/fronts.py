"""Real proxies that say, for each request they have forwarded, what they took it for.

Neither lets `/smuggled` through: whoever serves it has read something else than they did.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import haproxy
from harness.nginx import UWSGI_PASS, running
from harness.server import Address, free_port

NGINX_HTTP = """\
log_format forwarded escape=json '{{"method":"$request_method","target":"$request_uri",'
    '"status":"$upstream_status","to":"$upstream_addr","body":"$request_body"}}';
upstream app {{ server {upstream}; keepalive 4; }}
server {{
    listen 127.0.0.1:{port};
    access_log {dir}/forwarded.log forwarded;
    client_body_buffer_size 64k;
    merge_slashes off;
    underscores_in_headers {underscores};
    location ~ ^/smuggled {{ return 403; }}
    location / {{ {way} }}
}}
"""

PROXY_PASS = """\
proxy_pass http://app;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $http_host;
proxy_next_upstream off;
"""

HAPROXY = """\
global
    nbthread 1
    maxconn 500
    log stdout format raw local0
defaults
    mode http
    log global
    option http-buffer-request
    timeout connect 20s
    timeout client 60s
    timeout server 60s
    timeout http-request 20s
    retries 0
frontend in
    bind 127.0.0.1:{port}
    http-request capture url,hex len 4096
    http-request capture req.body,hex len 8192
    http-request deny if {{ path_beg /smuggled }}
    log-format "forwarded %HM %ST %s %[capture.req.hdr(0)] %[capture.req.hdr(1)]"
    default_backend app
backend app
    http-reuse always
    server app {address}
"""


@dataclass(frozen=True)
class Request:
    """A request: as a front forwarded it, or as our application saw it."""

    method: str
    target: str
    body: str
    """Latin-1."""


@dataclass
class Front:
    """A proxy, or nobody: then the address is the server's own."""

    name: str
    address: Address
    forwarded: Callable[[], list[tuple[Request, str]]]
    """What it has forwarded so far, with the status that came back: `-` or `-1` for none."""


@contextlib.contextmanager
def nginx(directory: Path, upstream: Address, uwsgi: bool) -> Iterator[Front]:
    """nginx by proxy_pass on kept connections, or by uwsgi_pass."""
    port = free_port()
    way = UWSGI_PASS.format(scheme="") if uwsgi else PROXY_PASS
    http = NGINX_HTTP.format(
        port=port,
        dir=directory,
        way=way,
        upstream=_spelled(upstream, "unix:"),
        # In a uwsgi packet both names would be the same variable: nginx is right to drop one.
        underscores="off" if uwsgi else "on",
    )
    log = directory / "forwarded.log"

    def forwarded() -> list[tuple[Request, str]]:
        rows = [json.loads(line) for line in _lines(log)]
        return [
            (Request(row["method"], row["target"], row["body"]), row["status"])
            for row in rows
            if row["to"] not in ("", "-")
        ]

    with running(directory, port, http):
        yield Front("uwsgi_pass" if uwsgi else "proxy_pass", ("127.0.0.1", port), forwarded)


@contextlib.contextmanager
def haproxy_http(directory: Path, upstream: Address) -> Iterator[Front]:
    """HAProxy that understands HTTP and reuses connections to the server for everybody."""
    port = free_port()
    text = HAPROXY.format(port=port, address=_spelled(upstream, "unix@"))

    def forwarded() -> list[tuple[Request, str]]:
        found = []
        for line in _lines(directory / "haproxy.log"):
            kind, *words = line.split(" ")
            if kind != "forwarded" or words[2] == "<NOSRV>":
                continue
            method, status, _, target, body = words
            request = Request(method, _unhex(target), _unhex(body))
            found.append((request, status))
        return found

    with haproxy.running(directory, text, port):
        yield Front("HAProxy", ("127.0.0.1", port), forwarded)


def _spelled(upstream: Address, unix: str) -> str:
    return f"{unix}{upstream}" if isinstance(upstream, str) else f"127.0.0.1:{upstream[1]}"


def _unhex(text: str) -> str:
    return "" if text == "-" else bytes.fromhex(text).decode("latin-1")


def _lines(path: Path) -> list[str]:
    """Whole lines only: the last may still be on its way."""
    if not path.exists():
        return []
    return path.read_bytes().decode("latin-1").split("\n")[:-1]
