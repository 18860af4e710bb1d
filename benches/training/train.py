"""Load under which an instrumented build finds out which of its code is hot (`make wheel PGO=1`).

maturin runs it in an environment with that build (`pgo-command` in pyproject.toml). It needs
nothing but the standard library, and takes half a minute. The requests are what servers get: kept
and closed connections, one and many at a time, bodies and responses of each kind, refusals; to each
worker class, with and without an access log. How many there are of each only weighs one way through
the engine against another.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).parent
SERVERS: tuple[tuple[str, ...], ...] = (
    ("--worker-class", "sync", "--sync-keepalive"),
    ("--worker-class", "sync"),
    ("--worker-class", "gthread", "--threads", "4"),
    ("--worker-class", "gthread", "--threads", "4", "--access-logfile", os.devnull),
)
ROUNDS = 150
CLIENTS = 16
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://localhost/account/orders?page=2",
    "Cookie": "csrftoken=0123456789abcdef0123456789abcdef; sessionid=fedcba9876543210",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Priority": "u=0, i",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
}


BODY = b"field=value&" * 5_000


def main() -> None:
    for options in SERVERS:
        print(f"training: {' '.join(options)}", flush=True)
        with serving(options) as port:
            train(port)


@contextlib.contextmanager
def serving(options: Sequence[str]) -> Iterator[int]:
    """A server of the build under training; its port. Its profile is written when it has ended."""
    with tempfile.TemporaryFile("w+") as log, socket.create_server(("127.0.0.1", 0)) as listener:
        bind = ("--bind", f"fd://{listener.fileno()}")
        server = subprocess.Popen(
            [sys.executable, "-m", "rgunicorn", *bind, *options, "app:app"],
            cwd=HERE,
            stderr=log,
            pass_fds=(listener.fileno(),),
        )
        try:
            yield listener.getsockname()[1]
            server.send_signal(signal.SIGTERM)
            status = server.wait(60)
        finally:
            server.kill()
            server.wait()
        log.seek(0)
        if status:
            raise SystemExit(f"the server ended with {status}:\n{log.read()}")


def train(port: int) -> None:
    """All kinds of requests, one connection at a time and several together."""
    clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(CLIENTS)]
    for number in range(ROUNDS):
        ask(clients, "GET", "/answer")
        ask(clients, "GET", f"/page?{number}", headers=BROWSER)
        ask(clients[:1], "GET", "/page", headers=BROWSER)
        for path in ("/answer", "/echo"):
            ask(clients[:4], "POST", path, body=BODY[: 1 + 397 * number], headers=BROWSER)
        # Without a length: in chunks.
        ask(clients[:2], "POST", "/echo", body=(BODY[:1000], BODY[:9000]))
        ask(clients[:4], "GET", "/pieces")
        ask(clients[:2], "GET", "/large")
        ask(clients[:1], "GET", "/file")
        ask(clients[:1], "HEAD", "/page")
        ask(clients[:2], "GET", "/answer", headers={**BROWSER, "Connection": "close"})
        refused(port)
    for client in clients:
        client.close()


def ask(
    clients: Sequence[http.client.HTTPConnection],
    method: str,
    path: str,
    body: bytes | Sequence[bytes] | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """The same request by each of `clients` before any of them reads its answer."""
    for client in clients:
        client.request(method, path, body, headers)
    for client in clients:
        response = client.getresponse()
        response.read()
        if response.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {response.status} {response.reason}")


def refused(port: int) -> None:
    """A request that is none."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"GET /answer HTTP/1.1\r\nHost: localhost\r\nbad field: 1\r\n\r\n")
        if not client.recv(1000).startswith(b"HTTP/1.1 400 "):
            raise SystemExit("a field name with a space in it was let through")


if __name__ == "__main__":
    main()
