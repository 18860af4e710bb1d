"""The command line of rgunicorn and, for parity, of the real Gunicorn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from config.command_line import APP, CommandLine


@pytest.fixture
def ours(tmp_path: Path) -> CommandLine:
    line = CommandLine("rgunicorn", sys.executable, tmp_path)
    line.write("app.py", APP)
    return line


@pytest.fixture
def gunicorn(tmp_path: Path, parity_python: str) -> CommandLine:
    line = CommandLine("gunicorn", parity_python, tmp_path)
    line.write("app.py", APP)
    return line


@pytest.fixture
def parity_python() -> str:
    python = os.environ.get("RGUNICORN_PARITY_PYTHON")
    if not python:
        pytest.skip("RGUNICORN_PARITY_PYTHON does not name the Python of a Gunicorn 27.0.1")
    return python


@pytest.fixture(params=["rgunicorn", "gunicorn"])
def either(request: pytest.FixtureRequest) -> CommandLine:
    """One and then the other: what holds here holds for both."""
    name = {"rgunicorn": "ours", "gunicorn": "gunicorn"}[request.param]
    return request.getfixturevalue(name)
