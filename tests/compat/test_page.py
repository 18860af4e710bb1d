"""docs/compatibility.md: every row has an id of its own, a difference, and tests that exist."""

from __future__ import annotations

import json
import re

import pytest

from harness.server import TESTS
from rgunicorn.settings.base import KNOWN_SETTINGS

ROOT = TESTS.parent
PAGE = (ROOT / "docs/compatibility.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| `[a-z0-9-]+` \|", line)
]
NAMED = sorted(set(re.findall(r"`((?:tests|src)/[\w./-]+::[^`]+)`", PAGE)))


def exists(named: str) -> bool:
    """A test function of Python or Rust, or a case of the corpus that is marked as different."""
    path, _, name = named.partition("::")
    file = ROOT / path
    if not file.exists():
        return False
    text = file.read_text()
    if file.suffix == ".json":
        cases = {case["name"]: case for case in json.loads(text)}
        return "difference" in cases.get(name, {})
    if file.suffix == ".rs":
        test = rf"#\[test\]\s(?:\s*#.*\s)*\s*fn {name}\(|^\s*fn {name}\(.* in "
        return bool(re.search(test, text, re.MULTILINE))
    return bool(re.search(rf"^\s*def {name}\(", text, re.MULTILINE))


def test_there_are_rows() -> None:
    assert len(ROWS) > 60
    ids = [row[0] for row in ROWS]
    assert len(ids) == len(set(ids)), "an id appears twice"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("`"))
def test_a_row_is_whole(row: list[str]) -> None:
    assert len(row) == 4, row
    assert row[1].endswith((".", "](#not-built-yet).")), "the difference is a sentence"
    assert re.fullmatch(r"(`(?:tests|src)/[^`]+::[^`]+` ?)+", row[3]), "no test"


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_exists(named: str) -> None:
    assert exists(named)


def test_what_does_not_exist_is_found_out() -> None:
    for named in (
        "tests/compat/test_page.py::test_nothing",
        "tests/compat/nowhere.py::test_a_row_is_whole",
        "tests/engine.rs::nothing",
        "src/log/test_access.rs::visit",
        "tests/corpus/requests.json::nothing",
    ):
        assert not exists(named), named


def test_every_setting_that_is_not_built_is_listed() -> None:
    section = PAGE.partition("\n## Not built yet\n")[2].partition("\n## ")[0]
    words = set(re.findall(r"[a-z0-9_]+", section))
    missing = {known.name for known in KNOWN_SETTINGS if known.unbuilt} - words
    assert not missing, missing
