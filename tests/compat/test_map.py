"""docs/architecture.md names every source file, and no file that is not there."""

from __future__ import annotations

import re

import pytest

from harness.server import TESTS

ROOT = TESTS.parent
PAGE = (ROOT / "docs/architecture.md").read_text()
SOURCES = ("src", "python/rgunicorn")


def mapped() -> list[str]:
    """Paths of the two-column tables below "Every file"; a table's head names its directory."""
    section = PAGE.partition("\n## Every file\n")[2].partition("\n## ")[0]
    found = []
    for table in re.split(r"\n\s*\n", section):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        if not lines:
            continue
        head, *rows = lines
        directory = re.findall(r"`([^`]+/)`", head)[0]
        for row in rows[1:]:
            name = re.findall(r"`([^`]+)`", row)[0]
            found.append("src/lib.rs" if name == "lib.rs" else directory + name)
    return found


def test_every_file_is_on_the_map() -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for source in SOURCES
        for path in (ROOT / source).rglob("*")
        if path.suffix in (".rs", ".py", ".pyi")
    }
    assert sorted(mapped()) == sorted(files)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "README.md"])
def test_paths_and_links_lead_somewhere(page: str) -> None:
    """Ticked paths from the root, and relative links, of the pages that guide through the code."""
    text = (ROOT / page).read_text()
    ticked = re.findall(r"`((?:src|python|tests|docs|benches|examples)/[\w./-]+)`", text)
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[\w-]+)?\)", text)
    paths = {ROOT / name for name in ticked}
    paths |= {((ROOT / page).parent / link).resolve() for link in links}
    missing = [str(path) for path in sorted(paths) if not path.exists()]
    assert not missing, missing
