"""Commands that have to succeed: builds and installs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from loadbench.errors import BenchError

_LIMIT_S = 1800
_TAIL_LINES = 8


def output_of(
    command: list[str], error: type[Exception] = BenchError, cwd: Path | None = None
) -> str:
    """What `command` writes to stdout.

    Raises:
        error: it is not there, or fails; with the end of what it wrote.
    """
    # A build for the harness must not land in, or take settings from, an active environment.
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            env=environ,
        )
    except FileNotFoundError as missing:
        raise error(f"{command[0]}: {missing.strerror}") from missing
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL_LINES:])
        raise error(f"`{' '.join(command)}` failed:\n{tail}")
    return done.stdout
