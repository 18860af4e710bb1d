"""Messages at the start that no other suite states."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.server import Command, clean_environment


def start(command: Command, directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Runs the server to its end, which a wrong configuration brings at once."""
    return subprocess.run(
        [*command.argv, *args],
        cwd=directory,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )


@pytest.mark.gunicorn_bug("TypeError with a traceback: a str is called")
def test_a_class_that_its_module_does_not_have(command: Command, tmp_path: Path) -> None:
    done = start(command, tmp_path, "-k", "compat.Missing", "kitchen:app")
    assert done.returncode == 1
    assert done.stderr.startswith("\nError: class uri 'compat.Missing' invalid or not found")
    assert "compat" in done.stderr and "Missing" in done.stderr


@pytest.mark.gunicorn_bug("`[Errno 20] Not a directory`, without a word of chdir")
def test_chdir_to_a_file(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = start(command, tmp_path, "--chdir", str(file), "kitchen:app")
    assert done.returncode == 1
    assert f"can't chdir to '{file}'" in done.stderr
