"""Makes the pictures and the table of docs/observability/top.md: a real server, a real load on
loopback, the real screen.

    .venv/bin/python docs/observability/shots.py
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZE = (112, 26)
CLIENTS = 10
SECONDS = 40
# Path, mean seconds in the application, how often.
PAGES = (
    ("/", 0.004, 40),
    ("/api/orders", 0.015, 30),
    ("/api/orders/4711", 0.008, 20),
    ("/search", 0.06, 8),
    ("/reports/2026", 6.0, 0.12),
    ("/broken", 0.002, 0.5),
)


def application(environ, start_response):
    """Sleeps as long as its path says, more or less."""
    path = environ["PATH_INFO"]
    mean = next(mean for name, mean, _ in PAGES if name == path)
    time.sleep(random.uniform(0.3, 1.2) * mean)
    status = "500 Internal Server Error" if path == "/broken" else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"shown\n"]


def visit(port: int, end: float) -> None:
    """One client: a page, a pause, the next page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    paths, weights = [page[0] for page in PAGES], [page[2] for page in PAGES]
    while time.monotonic() < end:
        (path,) = random.choices(paths, weights)
        # More and less goes on.
        time.sleep(random.expovariate(20 + 15 * (int(time.monotonic() / 4) % 3)))
        connection.request("GET", path, headers={"X-Request-ID": f"{random.getrandbits(32):08x}"})
        connection.getresponse().read()
    connection.close()


async def pictures(pid: int) -> None:
    """Writes the pictures once the graphs are full."""
    from rgunicorn.top.screen import Top
    from rgunicorn.top.watch import Watch

    app = Top(Watch(str(pid)), interval=0.5)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(SECONDS * 0.7)
        # The busiest first, by the request that has run for longest.
        await pilot.press("left")
        for name in ("top", "top-worker"):
            while not any(re.match(r"\d\.\d\ds GET /reports", row[-1]) for row in app._texts):
                await asyncio.sleep(0.1)
            await pilot.press("ctrl+home")
            write(name, app.export_screenshot(title="rgunicorn top"))
            await pilot.press("enter")


def write(name: str, svg: str) -> None:
    """Writes a picture; its names do not change from one run to the next."""
    svg = re.sub(r"terminal-\d+", f"terminal-{name}", svg)
    # librsvg takes spaces that do not break for spaces to leave out.
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    (HERE / "img").mkdir(exist_ok=True)
    (HERE / "img" / f"{name}.svg").write_text(svg)


def table(pid: int) -> None:
    """Puts what `rgunicorn stats` says into the page."""
    argv = [sys.executable, "-m", "rgunicorn", "stats", str(pid), "--interval", "1"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    page = HERE / "top.md"
    fence = re.compile(r"(\$ rgunicorn stats --interval 1\n).*?(\n```)", re.DOTALL)
    page.write_text(fence.sub(lambda it: it[1] + said.rstrip("\n") + it[2], page.read_text()))


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = f"-w 4 -k gthread --threads 4 -b 127.0.0.1:{port} -n shop shots".split()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [sys.executable, "-m", "rgunicorn", *words],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            end = time.monotonic() + SECONDS
            clients = [threading.Thread(target=visit, args=(port, end)) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            asyncio.run(pictures(server.pid))
            table(server.pid)
            for client in clients:
                client.join()
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
