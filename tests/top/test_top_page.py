"""docs/observability/top.md: its commands, on a server that runs, and what they show."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.console import install
from harness.server import TESTS, Command, Server, clean_environment
from harness.story import blocks
from harness.terminal import Terminal
from top.looking import at_the_gate

PAGE = (TESTS.parent / "docs/observability/top.md").read_text()
COMMANDS = [(line, said) for block in blocks(PAGE) for line, said in block.commands]


def here(line: str, server: Server) -> str:
    """The command with our pid and pidfile; where it names no server, others run beside ours."""
    line, _, rest = line.partition(" | ")
    line = line.partition("#")[0].strip()
    pidfile = str(server.directory / "master.pid")
    named = line.replace("4242", str(server.pid)).replace("/run/app.pid", shlex.quote(pidfile))
    if named == line:
        named += f" {server.pid}"
    return f"{named} | {rest}" if rest else named


def test_the_commands_are_found() -> None:
    lines = [line for line, _ in COMMANDS]
    assert len(lines) >= 7 and all(line.startswith("rgunicorn ") for line in lines)
    assert {line.split()[1] for line in lines} == {"top", "stats"}


@pytest.mark.parametrize("line", [line for line, _ in COMMANDS if line.startswith("rgunicorn top")])
def test_top(line: str, server: Server, command: Command, tmp_path: Path) -> None:
    env = clean_environment(install(tmp_path, command))
    terminal = Terminal(["/bin/bash", "-c", here(line, server)], env, tmp_path)
    try:
        terminal.wait(f"pid {server.pid}")
        terminal.wait("SLOT")
        terminal.type("q")
        assert terminal.process.wait(30) == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("line", "said"), [it for it in COMMANDS if it[0].startswith("rgunicorn stats")]
)
def test_stats(
    line: str, said: list[str], server: Server, command: Command, tmp_path: Path
) -> None:
    if "jq" in line and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    # What the page asks of jq is no request younger than ten seconds.
    run = here(line, server).replace("age > 10", "age >= 0")
    with at_the_gate(server, tmp_path.name):
        done = subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", run],
            cwd=tmp_path,
            env=clean_environment(install(tmp_path, command)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, ""), done
    if "jq" in line:
        assert " GET /gate" in done.stdout
    # What stands first in each line of the page: the same words, in the same order.
    shown = [line.split()[0] for line in said if not line[0].isspace()]
    ours = [line.split()[0] for line in done.stdout.splitlines() if line and not line[0].isspace()]
    assert [word for word in ours if word in shown] == shown
