"""The pictures of docs/architecture.md: drawn by their script, well-formed, and on the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from harness.server import TESTS

DOCS = TESTS.parent / "docs"


def test_pictures_are_what_the_script_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DOCS / "pictures.py", tmp_path], check=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in (DOCS / "img").iterdir()}
    page = (DOCS / "architecture.md").read_text()
    for name in names:
        drawn = (tmp_path / name).read_text()
        assert drawn == (DOCS / "img" / name).read_text(), f"make docs: {name} is another"
        assert f"](img/{name})" in page
        ElementTree.fromstring(drawn)
