"""The `spew` line printer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PARITY = os.environ.get("RGUNICORN_PARITY_PYTHON")
SHOP = """\
def add(a, b):
    total = a + b
    return total


def twice(a):
    return add(a, a)
"""


def run(python: str, package: str, directory: Path, arguments: str) -> str:
    (directory / "shop.py").write_text(SHOP)
    code = (
        f"import sys, shop\nfrom {package}.debug import spew, unspew, Spew\n"
        f"{arguments}\n"
        "shop.twice(2)\n"
        "unspew()\n"
        "shop.twice(3)\n"
    )
    paths = [str(directory), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [python, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return done.stdout


CASES = {
    "spew(trace_names=['shop'])": (
        "shop:7:     return add(a, a)\nshop:2:     total = a + b\nshop:3:     return total\n"
    ),
    "spew(['other'])": "",
    "sys.settrace(Spew(['shop']))": None,
}


@pytest.mark.parametrize(("arguments", "expected"), CASES.items())
def test_lines(tmp_path: Path, arguments: str, expected: str | None) -> None:
    lines = run(sys.executable, "rgunicorn", tmp_path, arguments)
    if expected is not None:
        assert lines == expected
        return
    assert "shop:2:     total = a + b\n\ta=2 b=2\n" in lines
    assert "shop:3:     return total\n\ttotal=4\n" in lines


@pytest.mark.skipif(not PARITY, reason="RGUNICORN_PARITY_PYTHON names no Python with Gunicorn")
def test_lines_are_gunicorns(tmp_path: Path) -> None:
    assert PARITY is not None
    arguments = "spew(trace_names=['shop'])"
    theirs = run(PARITY, "gunicorn", tmp_path, arguments)
    assert run(sys.executable, "rgunicorn", tmp_path, arguments) == theirs


def test_code_without_source(tmp_path: Path) -> None:
    arguments = "exec(compile('spew()\\ndef f():\\n  return 1\\nf()', '<made>', 'exec'))"
    lines = run(sys.executable, "rgunicorn", tmp_path, arguments)
    assert "__main__:3: [no source of f, instruction " in lines
