"""Instructions of the hot path, compared with those in `benches/instructions.json`: a count, not a
timing, so a loaded machine hardly matters, and a regression is seen where it is made.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import callgrind
from harness.callgrind import Counted
from harness.server import under_test
from instructions import floors, requests
from instructions.figures import (
    FLOORS,
    OTHER_CPU,
    PARTS,
    REQUESTS,
    Figures,
    Machine,
    of,
    regressions,
)
from instructions.requests import SETUPS, Setup

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(callgrind.missing()), reason=callgrind.missing()),
    pytest.mark.skipif(under_test().is_gunicorn, reason="the figures are rgunicorn's"),
]


@pytest.fixture(scope="module")
def machine() -> Machine:
    if shutil.which("rustc") is None:
        pytest.skip("rustc is not installed")
    return Machine.here()


@pytest.fixture(scope="module")
def kept(machine: Machine) -> Figures:
    """The figures of the file."""
    kept = Figures.read()
    if kept.machine.architecture != machine.architecture:
        pytest.skip(f"figures of {kept.machine.architecture} say nothing of {machine.architecture}")
    return kept


def bound(usual: float, kept: Figures, machine: Machine) -> float:
    return usual if kept.machine.avx2 == machine.avx2 else OTHER_CPU


def test_floors_without_python(kept: Figures, machine: Machine, tmp_path: Path) -> None:
    now = floors.counted(tmp_path)
    assert not (found := regressions(kept.floors, now, bound(FLOORS, kept, machine))), found


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_requests(setup: Setup, kept: Figures, machine: Machine, tmp_path: Path) -> None:
    before = {
        name: counted
        for name, counted in kept.requests.items()
        if name.partition(": ")[0] == setup.name
    }

    def is_good(name: str, now: Counted) -> bool:
        return name in before and not worse({name: before[name]}, {name: now}, kept, machine)

    now = requests.counted(setup, tmp_path, is_good)
    assert not (found := worse(before, now, kept, machine)), found


def worse(
    before: Mapping[str, Counted], now: Mapping[str, Counted], kept: Figures, machine: Machine
) -> str:
    """What is told of regressions, if there are any."""
    for part in PARTS:
        # Another CPython takes other instructions for the same.
        if part == "all" and kept.machine.python_minor != machine.python_minor:
            continue
        if found := regressions(of(before, part), of(now, part), bound(REQUESTS, kept, machine)):
            return found
    return ""


def test_a_regression_is_told_with_what_to_do() -> None:
    before = {"head": 1000, "line": 1000, "gone": 1}
    assert regressions(before, {"head": 1150, "line": 900, "gone": 1}, 1.15) == ""
    found = regressions(before, {"head": 1151, "line": 1000, "new": 7}, 1.15).splitlines()
    assert found == [
        "head: 1000 instructions before, 1151 now: 1.15 times, 1.15 are allowed",
        "new: 7 instructions, and instructions.json does not know it",
        "gone: in instructions.json, but nobody counts it",
        "If that is how it has to be: `make instructions` writes benches/instructions.json anew.",
    ]
