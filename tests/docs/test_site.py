"""The documentation site is built strictly, and asks nothing of other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.test_links import PAGES
from harness.server import TESTS

ROOT = TESTS.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", directory],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return directory


def built(site: Path, page: str) -> Path:
    """The file made of a page of the repository."""
    path = Path(page.removeprefix("docs/"))
    folder = path.parent if path.stem in ("index", "README") else path.with_suffix("")
    return site / folder / "index.html"


def test_every_page_is_there(site: Path) -> None:
    pages = {page for page in PAGES if page.startswith("docs/")} | {"CONTRIBUTING.md"}
    assert [page for page in sorted(pages) if not built(site, page).is_file()] == []


def test_a_reader_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?://[^"]+)"', page.read_text())
        styles = re.findall(
            r'<link[^>]* rel="(?:stylesheet|preconnect)"[^>]* href="(https?://[^"]+)"',
            page.read_text(),
        )
        assert [*loaded, *styles] == [], page


def test_links_out_of_the_docs_lead_to_pages_or_are_text(site: Path) -> None:
    """Of the rule in docs/hooks.py: a page, or else the text, as there is no `repo_url`."""
    architecture = built(site, "docs/architecture.md").read_text()
    assert 'href="../CONTRIBUTING/#where-do-i-change-"' in architecture
    docker = built(site, "docs/deploy/docker.md").read_text()
    assert "Dockerfile" in docker and 'href="../../deploy/docker/Dockerfile"' not in docker
