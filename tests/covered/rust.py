"""What the tests of the pure floors do not run: regions and branches, as llvm-cov counts them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PURE = ("http", "fleet", "log")
"""The floors without I/O and without a clock: docs/architecture.md, floor 0."""

PROGRAMS = (
    "corpus",
    "fleet_model",
    "fuzz_corpora",
    "http_properties",
    "responses",
    "value_properties",
)
"""Of `tests/*.rs`, those about these floors."""

_CODE = 0
"""The kind of a region that is code, and no gap and no expansion."""


@dataclass(frozen=True, order=True)
class Place:
    """Code that no test runs."""

    file: str
    line: int
    what: str
    """`never runs`, `never true` or `never false`."""
    text: str
    """The line of the source, without blanks at its ends."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.what}: {self.text}"


@dataclass
class Floor:
    """Figures of one directory of `src/`."""

    regions: int = 0
    branches: int = 0
    missed_regions: int = 0
    missed_branches: int = 0
    places: set[Place] = field(default_factory=set)


def measure(root: Path, document: Path) -> dict[str, Floor]:
    """Runs the tests of the pure floors, instrumented.

    Args:
        root: the checkout.
        document: where llvm-cov's export goes.

    Raises:
        subprocess.CalledProcessError: a test has failed, or cargo-llvm-cov is missing.
    """
    options = ["--branch", "--no-default-features", "--lib", "--json"]
    options += [word for name in PROGRAMS for word in ("--test", name)]
    command = ["cargo", "+nightly", "llvm-cov", "test", *options, "--output-path", str(document)]
    subprocess.run(command, cwd=root, check=True)
    return floors(json.loads(document.read_text()), root)


def floors(document: Any, root: Path) -> dict[str, Floor]:
    """Figures by floor. A place in a generic function is there once for each type, and in each
    test program: it has run when one of them has.

    Args:
        document: llvm-cov's export.
        root: the checkout that it is of.
    """
    regions: dict[tuple[str, int, int], int] = {}
    branches: dict[tuple[str, int, int, bool], int] = {}
    for function in document["data"][0]["functions"]:
        files = function["filenames"]
        for line, column, _, _, count, file, _, kind in function["regions"]:
            if kind == _CODE:
                key = (files[file], line, column)
                regions[key] = regions.get(key, 0) + count
        for line, column, _, _, yes, no, file, *_ in function.get("branches", []):
            for way, count in ((True, yes), (False, no)):
                edge = (files[file], line, column, way)
                branches[edge] = branches.get(edge, 0) + count

    found: dict[str, Floor] = {}
    sources = {path: _Source(root, path) for path in {key[0] for key in regions}}
    for (path, line, _), count in regions.items():
        for floor in sources[path].floor(line, found):
            floor.regions += 1
            if not count:
                floor.missed_regions += 1
                floor.places.add(sources[path].place(line, "never runs"))
    for (path, line, _, way), count in branches.items():
        for floor in sources[path].floor(line, found):
            floor.branches += 1
            if not count:
                floor.missed_branches += 1
                floor.places.add(sources[path].place(line, f"never {str(way).lower()}"))
    return found


class _Source:
    """One file, without its tests."""

    def __init__(self, root: Path, path: str) -> None:
        name = Path(path)
        self.ours = name.is_relative_to(root / "src") and not _is_test(name)
        self.name = str(name.relative_to(root)) if self.ours else path
        self.lines = name.read_text().splitlines() if self.ours else []
        tests = "\n".join(self.lines).partition("\n#[cfg(test)]\n")[0]
        self.end = len(tests.splitlines())

    def floor(self, line: int, floors: dict[str, Floor]) -> Iterator[Floor]:
        """The floor of a line of code; none for one of a test, or of somebody else."""
        if self.ours and line <= self.end:
            yield floors.setdefault(Path(self.name).parts[1], Floor())

    def place(self, line: int, what: str) -> Place:
        return Place(self.name, line, what, self.lines[line - 1].strip())


def _is_test(path: Path) -> bool:
    return bool(re.fullmatch(r"tests|test_\w+", path.stem))
