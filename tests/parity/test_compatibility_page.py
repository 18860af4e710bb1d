"""docs/compatibility.md lists exactly the differences the tests know."""

from __future__ import annotations

import re

import pytest

from harness.server import TESTS
from parity.differences import BY_ID, DIFFERENCES

PAGE = TESTS.parent / "docs/compatibility.md"


def test_every_difference_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)), "an id appears twice"
    assert set(BY_ID) <= set(rows), f"no row for {sorted(set(BY_ID) - set(rows))}"


@pytest.mark.parametrize("id", BY_ID)
def test_every_difference_has_a_test(id: str) -> None:
    path, _, name = BY_ID[id].test.partition("::")
    source = TESTS / path
    assert source.exists(), source
    assert not name or f"def {name}(" in source.read_text(), f"{name} is not in {path}"


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(DIFFERENCES)
