"""docs/observability/status.md: its commands, and what they show."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.server import TESTS, Server, Spawn
from harness.status import Pages, pages_port
from harness.story import blocks, follows
from status.test_uwsgitop import screen

pytestmark = pytest.mark.ours("Gunicorn has no status pages")

PAGE = (TESTS.parent / "docs/observability/status.md").read_text()
COMMANDS = {
    line.partition("#")[0].strip(): said for block in blocks(PAGE) for line, said in block.commands
}
APP = """
def application(environ, start_response):
    start_response("204 No Content", [])
    return []
"""
SHOWN = "127.0.0.1:9100"


@pytest.fixture
def site(spawn: Spawn, tmp_path: Path) -> tuple[Server, Pages]:
    """The page's server, with an application and a port of ours."""
    (line,) = (line for line in COMMANDS if line.startswith("rgunicorn "))
    assert SHOWN in line
    pages = Pages(("127.0.0.1", pages_port()))
    words = line.replace(SHOWN, pages.bind).split()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/wsgi.py").write_text(APP)
    server = spawn(
        words[-1],
        args=words[1:-1],
        settings={"shutdown_delay": 60, "max_queue": 100},
        env={"PYTHONPATH": str(tmp_path)},
    )
    pages.wait_ready(server)
    return server, pages


def test_the_commands_are_these() -> None:
    assert [line.split()[0] for line in COMMANDS] == ["rgunicorn", "curl", "pip", "uwsgitop"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_not_ready_while_it_stops(site: tuple[Server, Pages]) -> None:
    server, pages = site
    line, said = next(it for it in COMMANDS.items() if it[0].startswith("curl "))
    server.send_signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    done = subprocess.run(
        line.replace(SHOWN, pages.bind).split(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and follows(done.stdout, said), done.stdout
    # A second TERM does not wait for the delay.
    server.send_signal(signal.SIGTERM)
    server.assert_clean_exit()


def test_uwsgitop(site: tuple[Server, Pages]) -> None:
    _, pages = site
    (line,) = (line for line in COMMANDS if line.startswith("uwsgitop "))
    program, address = line.replace(SHOWN, pages.bind).split()
    assert program == "uwsgitop"
    # The headings of the page's example, and four workers.
    (heads,) = re.findall(r"^ WID .*$", PAGE, re.MULTILINE)
    rows = "".join(rf".*\b{wid} [\d.]+ \d+ \d+ " for wid in range(1, 5))
    screen(address, re.compile(r"\s+".join(map(re.escape, heads.split())) + rows))
