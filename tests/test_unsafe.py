"""House rules a compiler does not check: where `unsafe` may be, how long a file may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.layers import rust_code
from harness.server import TESTS

ROOT = TESTS.parent
RUST = sorted((ROOT / "src").rglob("*.rs"))
PYTHON = sorted((ROOT / "python").rglob("*.py"))
UNSAFE = re.compile(r"\bunsafe\b(?!_)")
MOST_UNSAFE = 60
MOST_LINES = 350
GIVING_UP = re.compile(
    r"\.(?:unwrap|expect|unwrap_err|expect_err)\(|\b(?:panic|todo|unimplemented|unreachable)!"
)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def unsafe_lines(source: str) -> list[int]:
    """Numbers of the lines with the keyword, from 1. `unsafe_code` and prose do not count."""
    lines = rust_code(source).splitlines()
    return [number for number, line in enumerate(lines, 1) if UNSAFE.search(line)]


def needs_reason(source: str, number: int) -> bool:
    """Whether a line with the keyword is an act of ours.

    A method of an `unsafe impl` is not: the trait prescribes the keyword, the impl has the reason.
    """
    return not re.match(r"\s+unsafe fn ", source.splitlines()[number - 1])


def is_justified(source: str, number: int) -> bool:
    """A SAFETY comment (or a `# Safety` section) stands right above, attributes aside."""
    for line in reversed(source.splitlines()[: number - 1]):
        text = line.strip()
        if "SAFETY:" in text or "# Safety" in text:
            return True
        # A comment of several lines, an attribute, or the first half of the statement.
        if not text.startswith(("//", "#[")) and not text.endswith(("=", "(", "match", ".")):
            return False
    return False


def shipped(path: Path) -> str:
    """The code of a file without its test module."""
    if path.name == "tests.rs" or path.name.startswith("test_") or path.parent.name == "tests":
        return ""
    return rust_code(path.read_text()).partition("#[cfg(test)]")[0]


@pytest.mark.parametrize("path", RUST, ids=relative)
def test_unsafe_stays_where_it_belongs(path: Path) -> None:
    source = path.read_text()
    lines = unsafe_lines(source)
    where = relative(path)
    if not where.startswith("src/sys/") and where != "src/py/ffi.rs":
        assert not lines, f"unsafe in lines {lines}"
    ours = [number for number in lines if needs_reason(source, number)]
    missing = [number for number in ours if not is_justified(source, number)]
    assert not missing, f"no SAFETY comment above lines {missing}"


def test_unsafe_stays_little() -> None:
    sources = {relative(path): path.read_text() for path in RUST}
    count = {
        name: sum(needs_reason(source, number) for number in unsafe_lines(source))
        for name, source in sources.items()
    }
    assert sum(count.values()) < MOST_UNSAFE, {name: n for name, n in count.items() if n}


@pytest.mark.parametrize("path", RUST + PYTHON, ids=relative)
def test_no_file_is_long(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: more than one noun?"


@pytest.mark.parametrize("path", RUST, ids=relative)
def test_nothing_gives_up(path: Path) -> None:
    found = GIVING_UP.findall(shipped(path))
    assert not found, found


def test_the_readers_see_what_they_must() -> None:
    source = (
        '// unsafe\n#![deny(unsafe_code)]\nlet a = "unsafe";\n// SAFETY: b\nlet c = unsafe { d };\n'
    )
    assert unsafe_lines(source) == [5]
    assert is_justified(source, 5)
    assert not is_justified("let c = 1;\nunsafe { d }\n", 2)
    assert needs_reason("unsafe { d }", 1) and needs_reason("pub unsafe fn f() {}", 1)
    assert not needs_reason("    unsafe fn alloc(&self) {}", 1)
    assert GIVING_UP.search(rust_code("let a = b.unwrap();"))
