"""docs/architecture.md is the rule: no file imports from a floor its row does not name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.layers import (
    PACKAGE,
    file_of,
    floor_of,
    floors,
    python_imports,
    rust_imports,
)
from harness.server import TESTS

ROOT = TESTS.parent
PACKAGE_ROOT = ROOT / "python" / PACKAGE
FLOORS = floors((ROOT / "docs/architecture.md").read_text())
RUST = sorted((ROOT / "src").rglob("*.rs"))
PYTHON = sorted(PACKAGE_ROOT.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dependencies() -> set[str]:
    """Crates of `[dependencies]`. What only tests use is free everywhere."""
    manifest = (ROOT / "Cargo.toml").read_text()
    section = manifest.partition("\n[dependencies]\n")[2].partition("\n[")[0]
    return set(re.findall(r"^([\w-]+)\s*=", section, re.MULTILINE))


CRATES = dependencies()
RUST_FLOORS = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}


@pytest.mark.parametrize("path", RUST + PYTHON, ids=relative)
def test_every_file_has_a_floor(path: Path) -> None:
    assert floor_of(relative(path), FLOORS), "no row of docs/architecture.md covers this file"


@pytest.mark.parametrize("path", RUST, ids=relative)
def test_rust(path: Path) -> None:
    floor = floor_of(relative(path), FLOORS)
    assert floor
    wrong = [
        f"line {line}: {name}"
        for name, line in rust_imports(path.read_text(), CRATES)
        if name in RUST_FLOORS | CRATES and name not in floor.may_import
    ]
    assert not wrong, f"floor {floor.name} may not use {wrong}"


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_python(path: Path) -> None:
    floor = floor_of(relative(path), FLOORS)
    assert floor
    parts = path.relative_to(PACKAGE_ROOT.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    wrong = []
    for name, line in python_imports(path.read_text(), module, is_package):
        below = imported_floor(name)
        if below not in floor.may_import and below != "leaves of all":
            wrong.append(f"line {line}: {name} of floor {below}")
    assert not wrong, f"floor {floor.name} may not import {wrong}"


def imported_floor(name: str) -> str:
    if name.split(".")[1:2] == ["_core"]:
        return "_core"
    file = file_of(name, PACKAGE_ROOT)
    assert file, f"no module holds {name}"
    if file == PACKAGE_ROOT / "__init__.py":
        # The version: everybody may know it.
        return "leaves of all"
    floor = floor_of(relative(file), FLOORS)
    assert floor, f"{file} has no floor"
    return floor.name


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_a_row_names_what_exists(floor) -> None:  # type: ignore[no-untyped-def]
    known = {row.name for row in FLOORS} | CRATES | {"_core"}
    assert floor.may_import <= known, floor.may_import - known
    missing = [file for file in floor.files if not (ROOT / file).exists()]
    assert not missing, f"the table names {missing}"


def test_the_readers_see_what_they_must() -> None:
    """The checks above mean nothing if a way to import escapes them."""
    rust = '//! crate::comment\nuse crate::{sys::{a, b}, log};\nlet x = nix::y("crate::text");\n'
    rust += "fn f<'a>(c: &'a char) { crate::engine::g('\"', super::super::fleet::h) }\n"
    seen = {name for name, _ in rust_imports(rust, {"nix"})}
    assert seen == {"sys", "log", "nix", "engine", "fleet"}
    python = "from . import util\nfrom ..app.base import X\nimport gunicorn.config\n"
    python += "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .. import arbiter\n"
    python += "def f():\n    from rgunicorn import sock\n"
    names = [name for name, _ in python_imports(python, "rgunicorn.workers.base", False)]
    assert names == [
        "rgunicorn.workers.util",
        "rgunicorn.app.base.X",
        "rgunicorn.config",
        "rgunicorn.sock",
    ]
