"""Runs `rgunicorn` or the real Gunicorn as a user does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

APP = """\
def application(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""


@dataclass
class CommandLine:
    """Runs one of the two servers in a directory of its own, with a clean environment."""

    package: str
    python: str
    directory: Path

    @property
    def is_ours(self) -> bool:
        return self.package == "rgunicorn"

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def __call__(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.execute("-m", self.package, *args, **env)

    def execute(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        base = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        if self.is_ours and "PYTHONPATH" in os.environ:
            base["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return subprocess.run(
            [self.python, *args],
            cwd=self.directory,
            env=base | env,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def config(self, *args: str, **env: str) -> dict[str, str]:
        """What `--print-config` shows, by name."""
        done = self("--print-config", *args, **env)
        assert done.returncode == 0, done.stderr
        return parse_config(done.stdout)


def parse_config(printed: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in printed.splitlines())
    return {name.strip(): value.strip() for name, value in pairs}
