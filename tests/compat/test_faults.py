"""docs/design/gunicorn-faults.md: what is said of each fault of Gunicorn is held by a test."""

from __future__ import annotations

import re

import pytest

from compat.test_page import PAGE, exists
from harness.server import TESTS

TEXT = (TESTS.parent / "docs/design/gunicorn-faults.md").read_text()
FAULTS = [
    [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| fault ")
]


def test_there_are_faults() -> None:
    assert len(FAULTS) > 30
    assert len({fault[0] for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_a_fault_has_tests_and_a_row(fault: list[str]) -> None:
    assert len(fault) == 4, fault
    tests = re.findall(r"`([^`]+)`", fault[2])
    assert tests, "no test"
    for named in tests:
        assert exists(named), named
    rows = re.findall(r"`([^`]+)`", fault[3])
    assert rows or "the same" in fault[1], "no row in compatibility.md"
    for row in rows:
        assert f"| `{row}` |" in PAGE, row
