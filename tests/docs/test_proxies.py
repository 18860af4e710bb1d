"""The proxy configurations of pages, in the real proxy, as they stand but for addresses.

Those of docs/deploy: `deploy/test_nginx.py`. That of Apache in docs/coming-from/mod_wsgi.md is not
run: the machines of the tests have no Apache.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.nginx import available, running
from harness.server import TESTS, Spawn, free_port
from harness.story import blocks
from harness.wire import ask, get


@pytest.mark.skipif(not available(), reason="nginx is not installed")
def test_nginx_of_the_quick_start(spawn: Spawn, tmp_path: Path) -> None:
    page = (TESTS.parent / "docs/quick-start.md").read_text()
    text = next(block.text for block in blocks(page) if block.title == "shop.nginx.conf")
    server = spawn("environ:app", Mode("sync", "unix"))
    port = free_port()
    for written, here in (
        ("unix:/srv/shop/shop.sock", server.bind),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ):
        assert text.count(written) == 1
        text = text.replace(written, here)
    with running(tmp_path / "nginx", port, text):
        environ = json.loads(ask(("127.0.0.1", port), get("/a")).body)
    assert environ["HTTP_HOST"][1] == "example.test"
    assert environ["HTTP_X_FORWARDED_FOR"][1] == "127.0.0.1"
    assert environ["wsgi.url_scheme"][1] == "http"
