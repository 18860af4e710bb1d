"""The sdist: what a wheel is built from, and nothing else.

That a wheel can be built from it elsewhere is shown by `make wheel`, which does it so.
"""

from __future__ import annotations

import tarfile

import pytest

from harness.dist import sdist
from harness.server import TESTS

ROOT = TESTS.parent


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Contents by path below the sdist's directory."""
    found = {}
    with tarfile.open(sdist()) as opened:
        for entry in opened:
            assert entry.isfile() or entry.isdir(), f"{entry.name} is no file"
            taken = opened.extractfile(entry)
            if taken is not None:
                top, _, path = entry.name.partition("/")
                assert f"{top}.tar.gz" == sdist().name
                found[path] = taken.read()
    return found


def test_only_what_belongs_there(files: dict[str, bytes]) -> None:
    tops = {path.partition("/")[0] for path in files}
    assert tops == {
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "benches",
        "pyproject.toml",
        "python",
        "src",
    }
    # Cargo.toml names the benchmarks, and pyproject.toml what a build is trained with (PGO=1);
    # the harness beside them stays at home.
    assert {path.split("/")[1] for path in files if path.startswith("benches/")} == {
        *(path.name for path in (ROOT / "benches").glob("*.rs")),
        "cases",
        "training",
    }
    assert not [path for path in files if path.endswith((".so", ".pyc"))]


def test_every_source_is_there_as_it_is_here(files: dict[str, bytes]) -> None:
    kept = {".py", ".pyi", ".rs", ".typed"}
    for directory in ("src", "python/rgunicorn"):
        here = {
            path.relative_to(ROOT).as_posix(): path.read_bytes()
            for path in (ROOT / directory).rglob("*")
            if path.suffix in kept or path.name == "py.typed"
        }
        there = {path: data for path, data in files.items() if path.startswith(f"{directory}/")}
        assert here.keys() == there.keys()
        assert [path for path in here if here[path] != there[path]] == []


def test_versions_of_crates_are_those_we_test(files: dict[str, bytes]) -> None:
    assert files["Cargo.lock"] == (ROOT / "Cargo.lock").read_bytes()
    assert files["LICENSE"] == (ROOT / "LICENSE").read_bytes()
