"""Real clients: curl, wrk, requests, and nginx in front."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from chaos.clients import HANG, Burst, Client, Request
from chaos.talkers import Talker
from harness import nginx
from harness.server import Address, free_port

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")

# 502 and 504 are nginx's words for a connection that was lost, or refused.
SITE = """\
upstream app {{ server {host}:{upstream}; keepalive 8; keepalive_timeout 1s; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_next_upstream off;
        proxy_buffering {buffering};
        proxy_request_buffering {buffering};
    }}
}}
"""


def url(address: Address, request: Request) -> str:
    assert isinstance(address, tuple)
    return f"http://{address[0]}:{address[1]}{request.path}"


class Browser(Client):
    """requests, with a pool of connections."""

    def turn(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(self.dice.randrange(1, 10)):
                self.exchange(session, self.ask())
                self.pause(0.05)
                if not self.gate.is_open:
                    return

    def exchange(self, session: requests.Session, request: Request) -> None:
        # requests looks for a connection that was closed before it sends, as all pools do.
        request.before = 1
        try:
            answer = session.request(
                request.method,
                url(self.address, request),
                headers={"X-Request-ID": request.id},
                data=request.body or None,
                timeout=HANG,
            )
            request.worker = int(answer.headers.get("X-Worker", 0))
            request.judge(answer.status_code, answer.content)
        except requests.Timeout:
            request.outcome = "hang"
        except requests.exceptions.ChunkedEncodingError as error:
            request.outcome, request.what = "cut", repr(error)[:200]
        except requests.ConnectionError as error:
            refused = "NewConnectionError" in repr(error)
            request.outcome, request.what = "refused" if refused else "silent", repr(error)[:200]
        self.book.close(request)


class Curl(Client):
    """curl, a process for each request."""

    # https://curl.se/libcurl/c/libcurl-errors.html
    outcomes = {7: "refused", 18: "cut", 28: "hang", 52: "silent", 55: "silent", 56: "silent"}

    def turn(self) -> None:
        request = self.ask()
        argv = ["curl", "-s", "--max-time", str(HANG), "-H", request.field, "-H", "Expect:"]
        argv += ["--write-out", "%{stderr}%{http_code}", url(self.address, request)]
        if request.method == "POST":
            argv += ["--data-binary", "@-", "-H", "Content-Type: application/octet-stream"]
        done = subprocess.run(argv, input=request.body, capture_output=True, check=False)
        status = int(re.sub(rb"\D", b"", done.stderr[-3:]) or 0)
        if done.returncode == 0:
            request.judge(status, done.stdout)
        else:
            request.outcome = self.outcomes.get(done.returncode, "wrong")
            request.what = f"curl left with {done.returncode}, after {len(done.stdout)} bytes"
            if request.outcome == "silent" and done.stdout:
                request.outcome = "cut"
        self.book.close(request)
        self.pause(0.2)


class Wrk(Client):
    """wrk, in bursts: as much as the server can do, for half a second."""

    def turn(self) -> None:
        word = f"{self.name}-{self.turns}-{self.dice.getrandbits(24):06x}"
        connections = self.dice.choice([4, 16, 64])
        argv = ["wrk", "-t1", f"-c{connections}", "-d1s", "--timeout", f"{HANG}s"]
        argv += ["-s", str(WRK_SCRIPT), f"http://{self.address[0]}:{self.address[1]}/", "--", word]
        sent = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found = re.search(r"^counted (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
        # wrk gives up when its very first connection is refused.
        assert found or "unable to connect" in done.stderr + done.stdout, done
        counts = [int(count) for count in found.groups()] if found else [0, 0, 1]
        now = time.monotonic()
        self.book.bursts[word] = Burst(word, sent, now, counts[0], connections, *counts[1:])
        self.gate.over.wait(self.dice.uniform(2, 12))


class Proxied(Talker):
    """Through nginx: what it says when its upstream has failed is an outcome like others."""

    def exchange(self, wire: object, requests: list[Request]) -> bool:
        goes_on = super().exchange(wire, requests)  # type: ignore[arg-type]
        for request in requests:
            if request.outcome == "502":
                request.outcome, request.before = "silent", 1
        return goes_on


def missing() -> list[str]:
    """The programs that are not installed."""
    there = {"curl": shutil.which("curl"), "wrk": shutil.which("wrk"), "nginx": nginx.available()}
    return [name for name, path in there.items() if not path]


@contextlib.contextmanager
def proxies(directory: Path, upstream: Address) -> Iterator[list[Address]]:
    """nginx in front of `upstream`, twice: it keeps what is uploaded and answered until it has all
    of it, or passes it on as it comes."""
    assert isinstance(upstream, tuple)
    ports = []
    sites = []
    for buffering in ("on", "off"):
        ports.append(free_port())
        text = SITE.format(
            host=upstream[0], upstream=upstream[1], port=ports[-1], buffering=buffering
        )
        sites.append(
            text.replace("upstream app", f"upstream {buffering}_").replace(
                "http://app", f"http://{buffering}_"
            )
        )
    with nginx.running(directory, ports[0], "\n".join(sites)):
        yield [("127.0.0.1", port) for port in ports]
