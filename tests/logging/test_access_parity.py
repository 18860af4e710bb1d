"""The access corpus: still what Gunicorn writes, and what our Python Logger writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CORPUS = HERE / "corpus" / "access.json"
PARITY = os.environ.get("RGUNICORN_PARITY_PYTHON")

# What the base64 module makes of padding where none belongs: a user, or none from some 3.14 on.
PYTHON_DECIDES = {"user, early padding"}


def lines_of(python: str, package: str) -> list[dict[str, Any]]:
    command = [python, str(HERE / "access_corpus.py"), package]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return decided(printed)


def decided(corpus: str) -> list[dict[str, Any]]:
    """The cases in which every Python writes the same line."""
    return [case for case in json.loads(corpus) if case["name"] not in PYTHON_DECIDES]


@pytest.mark.skipif(not PARITY, reason="RGUNICORN_PARITY_PYTHON names no Python with Gunicorn")
def test_corpus_is_what_gunicorn_writes() -> None:
    assert PARITY is not None
    assert lines_of(PARITY, "gunicorn") == decided(CORPUS.read_text())


def test_our_logger_writes_the_corpus() -> None:
    ours = lines_of(sys.executable, "rgunicorn")
    theirs = decided(CORPUS.read_text())
    assert [case["name"] for case in ours] == [case["name"] for case in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert our["line"] == safe(their), their["name"]


def safe(case: dict[str, Any]) -> str | None:
    """Gunicorn's line without the control characters a client put there: ours are `\\xHH`."""
    line = case["line"]
    if line is None or not case["format"].isprintable():
        return line
    body = line.removesuffix("\n")
    controls = {code: f"\\x{code:02x}" for code in range(0xA0) if not 0x20 <= code < 0x7F}
    return body.translate(controls) + "\n"
