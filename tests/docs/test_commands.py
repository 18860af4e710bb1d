"""Every command on a page of the documentation is run by a test, or stands here with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.server import TESTS, Command
from harness.story import Story, commands

DOCS = TESTS.parent / "docs"

# Pages whose blocks are run here as they stand.
STORIES = [
    "quick-start.md",
    "workers.md",
    "signals.md",
    "hooks.md",
    "coming-from/gunicorn.md",
    "coming-from/granian.md",
    "coming-from/mod_wsgi.md",
]

# Commands of these pages that are not run.
LEFT_OUT = {
    "pip install .": "the suite runs in an environment where it has been done",
}


@pytest.mark.ours("pages about rgunicorn")
@pytest.mark.parametrize("page", STORIES)
def test_a_page_can_be_followed(page: str, command: Command, tmp_path: Path) -> None:
    text = (DOCS / page).read_text()
    assert commands(text)
    Story(tmp_path, command, LEFT_OUT).run(text)
