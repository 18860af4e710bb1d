"""No link of a page leads nowhere: relative ones to files, anchors to headings, as on GitHub."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from harness.server import TESTS

ROOT = TESTS.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "benches/*.md", "examples/*.md", "tests/**/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^(```+|~~~+).*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)


def slug(heading: str) -> str:
    """The anchor of a heading: lower case, blanks to hyphens, other signs left out."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def anchors(page: Path) -> set[str]:
    found: dict[str, int] = {}
    text = FENCE.sub("", page.read_text())
    for heading in HEADING.findall(text):
        found[slug(heading)] = found.get(slug(heading), 0) + 1
    repeated = {f"{name}-{n}" for name, count in found.items() for n in range(1, count)}
    return set(found) | repeated | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def links(page: str) -> list[str]:
    # Fences go; of ticked code only the ticks' insides, which a link's text may hold.
    text = CODE.sub("`code`", FENCE.sub("", (ROOT / page).read_text()))
    return LINK.findall(text)


def dead(page: str, link: str) -> bool:
    if re.match(r"(https?|mailto):", link):
        return False
    name, _, anchor = link.partition("#")
    target = (ROOT / page).parent / name if name else ROOT / page
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target.resolve())


@pytest.mark.parametrize("page", PAGES)
def test_no_dead_link(page: str) -> None:
    assert [link for link in links(page) if dead(page, link)] == []


def test_the_checker_sees_what_is_dead() -> None:
    assert len(PAGES) > 40 and sum(len(links(page)) for page in PAGES) > 300
    assert dead("README.md", "docs/nothing.md")
    assert dead("README.md", "docs/settings.md#nothing")
    assert dead("README.md", "#nothing")
    assert not dead("docs/index.md", "settings.md#bind")
