"""The load harness is no package that is installed: it is imported from where it lies."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benches" / "load"))

# A run of four servers with --quick, without its single samples: tests/README.md.
_RUN = json.loads(Path(__file__).with_name("run.json").read_text())


@pytest.fixture
def document() -> Any:
    """The document of a run, which a test may change."""
    return copy.deepcopy(_RUN)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with markers and words around them."""
    path = tmp_path / "figures.md"
    path.write_text("# Mine\n\n<!-- bench:begin: how -->\nold\n<!-- bench:end -->\n\nMine too.\n")
    return path
