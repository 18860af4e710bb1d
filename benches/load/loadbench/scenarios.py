"""What the client asks for. A scenario is the request; servers differ only in how they answer."""

from __future__ import annotations

from dataclasses import dataclass

HELLO = b"Hello, World!"
LARGE = b"0123456789abcdef" * 6400
UPLOAD_SIZE = 65536
STREAM = b"p" * 1000 * 50
FILE = b"0123456789abcdef" * 65536

# What a desktop browser sends when a page is opened; with Host these are 16 fields.
BROWSER_HEADERS = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="142", "Not_A Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Referer", "http://127.0.0.1/shop/"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
    ("Cookie", "sessionid=3k9f0a7d2c5b8e1f6a4d; csrftoken=Zt5XqLw8RkP0sVb2; theme=dark"),
)


@dataclass(frozen=True)
class Scenario:
    """One kind of request, and what the server must have switched on for it."""

    name: str
    title: str
    app: str = "hello:app"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    upload: int = 0
    """Bytes of the request's body, all of them `u`; with one the method is POST."""
    keep_alive: bool = True
    access_log: bool = False
    body: bytes | None = HELLO
    """What has to come back; None when each answer is another one."""
    connections: int | None = None
    """Connections of the client, where the plan's number would not do."""
    threads: int | None = None
    """Threads of the server, where the plan's number would not do: only for threaded servers."""
    tls: bool = False
    framework: bool = False
    """Whether its app needs the packages of apps/requirements.txt."""
    workers: int = 1
    """More than one run on both cores, which the client then shares with them."""
    limit: int | None = None
    """Requests per second that these threads allow at best."""
    traced: int | None = None
    """Requests to count system calls over, where the plan's number would take too long."""

    def request(self, port: int, *, close: bool = False) -> bytes:
        """The bytes wrk sends for this scenario, for the clients of our own."""
        fields = [("Host", f"127.0.0.1:{port}"), *self.headers]
        if close and self.keep_alive:
            fields.append(("Connection", "close"))
        if self.upload:
            fields.append(("Content-Length", str(self.upload)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        method = "POST" if self.upload else "GET"
        return f"{method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + b"u" * self.upload


_CLOSE = (("Connection", "close"),)

SCENARIOS = (
    Scenario("close", "hello, `Connection: close`", headers=_CLOSE, keep_alive=False),
    Scenario("keepalive", "hello, kept alive"),
    Scenario(
        "browser",
        "browser-like request (16 header fields), kept alive",
        path="/shop/items?page=2&sort=price",
        headers=BROWSER_HEADERS,
    ),
    Scenario(
        "log-close",
        "hello, `Connection: close`, access log to a file",
        headers=_CLOSE,
        keep_alive=False,
        access_log=True,
    ),
    Scenario(
        "log-keepalive",
        "hello, kept alive, access log to a file",
        access_log=True,
    ),
    Scenario(
        "sleep10",
        "10 ms sleep in 32 threads, 64 connections",
        app="scenes:sleep10",
        body=b"slept",
        connections=64,
        threads=32,
        limit=3200,
        traced=1000,
    ),
    Scenario("large", "response of 100 KiB", app="scenes:large", body=LARGE, traced=1000),
    Scenario(
        "upload",
        "upload of 64 KiB",
        app="scenes:upload",
        upload=UPLOAD_SIZE,
        body=b"right",
        traced=1000,
    ),
    Scenario(
        "stream",
        "stream of 50 pieces of 1,000 bytes (generator)",
        app="scenes:stream",
        body=STREAM,
        traced=200,
    ),
    Scenario(
        "file", "file of 1 MiB by `wsgi.file_wrapper`", app="scenes:file", body=FILE, traced=200
    ),
    Scenario("flask", "Flask: hello by a route", app="flask_hello:app", framework=True),
    Scenario(
        "django",
        "Django: hello by a view, middleware of a fresh project",
        app="django_hello.wsgi:application",
        framework=True,
    ),
    Scenario(
        "django-plain",
        "Django: hello by a view, no middleware",
        app="django_plain.wsgi:application",
        framework=True,
    ),
    # Whoever answers all that are ready in one go wakes the client less often; not here.
    Scenario(
        "flask-one",
        "Flask: hello by a route, one connection",
        app="flask_hello:app",
        connections=1,
        framework=True,
    ),
    Scenario(
        "django-one",
        "Django: hello by a view, middleware of a fresh project, one connection",
        app="django_hello.wsgi:application",
        connections=1,
        framework=True,
    ),
    Scenario("tls-keepalive", "hello over TLS, kept alive", tls=True),
    Scenario(
        "tls-close",
        "hello over TLS, `Connection: close` (a handshake each)",
        headers=_CLOSE,
        keep_alive=False,
        # Gunicorn needs 6 ms for each: 32 would wait for the whole warm-up.
        connections=8,
        tls=True,
        traced=500,
    ),
    Scenario("four-keepalive", "hello, kept alive, 4 workers on 2 cores", workers=4),
    Scenario(
        "four-close",
        "hello, `Connection: close`, 4 workers on 2 cores",
        headers=_CLOSE,
        keep_alive=False,
        workers=4,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
HELLO_KEPT = BY_NAME["keepalive"]
DJANGO = BY_NAME["django"]
