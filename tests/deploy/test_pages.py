"""docs/deploy: what a page shows of a file in deploy/ is that file."""

from __future__ import annotations

import re

import pytest

from harness.server import TESTS

ROOT = TESTS.parent
PAGES = sorted(path.name for path in (ROOT / "docs/deploy").glob("*.md"))
SHOWN = re.compile(r"```\w*\n# (deploy/\S+)\n(.*?)```", re.DOTALL)


def test_there_are_pages() -> None:
    assert {"nginx.md", "systemd.md", "docker.md", "kubernetes.md", "heroku.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_is_the_file(page: str) -> None:
    for name, text in SHOWN.findall((ROOT / "docs/deploy" / page).read_text()):
        assert text == (ROOT / name).read_text(), name


def test_every_configuration_is_on_a_page() -> None:
    pages = "".join((ROOT / "docs/deploy" / page).read_text() for page in PAGES)
    pages += "".join(path.read_text() for path in (ROOT / "docs/observability").glob("*.md"))
    for path in (ROOT / "deploy").rglob("*"):
        if path.is_file() and path.suffix != ".pyc" and path.name != ".dockerignore":
            assert str(path.relative_to(ROOT)) in pages, f"no page names {path}"
