"""The wheel: its name keeps what it promises, and what is in it."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from harness.dist import member, sdist, wheel
from harness.server import TESTS

ROOT = TESTS.parent
GLIBC = re.compile(r"manylinux_2_(\d+)_(\w+)\.whl$")

# memfd_create(2) is there since 2.27. Releases are linked by zig for 2.28 (`make wheel ZIG=1`);
# what a machine builds with its own glibc asks for 2.34 on Debian 12.
OLDEST = 27


def tool(*words: str) -> str:
    """What a command of the interpreter's environment prints; it must succeed."""
    program = Path(sys.executable).parent / words[0]
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_for_all_versions_from_3_10_on() -> None:
    assert "-cp310-abi3-" in wheel().name
    report = json.loads(tool("abi3audit", "--strict", "--report", str(wheel())))
    [(_, audited)] = report["specs"].items()
    for library in audited["wheel"]:
        assert library["result"]["is_abi3_baseline_compatible"], library
        assert library["result"]["baseline"] == "3.10"


def test_its_tag_is_true() -> None:
    """auditwheel looks at each symbol; maturin has written the name."""
    named = GLIBC.search(wheel().name)
    assert named, f"{wheel().name} is for this machine only"
    shown = json.loads(tool("auditwheel", "show", "--json", str(wheel())))
    reached = GLIBC.search(f"{shown['overall_tag']}.whl")
    assert reached, shown
    # Symbols may be older than the name says, never newer.
    ours = int(str(os.confstr("CS_GNU_LIBC_VERSION")).rpartition(".")[2])
    assert OLDEST <= int(reached[1]) <= int(named[1]) <= max(ours, 28)
    assert reached[2] == named[2]


def test_nothing_of_ours_is_left_out_and_nothing_else_is_in() -> None:
    with zipfile.ZipFile(wheel()) as opened:
        names = set(opened.namelist())
    package = ROOT / "python/rgunicorn"
    kept = {".py", ".pyi", ".typed"}
    files = {p for p in package.rglob("*") if p.suffix in kept or p.name == "py.typed"}
    ours = {f"rgunicorn/{p.relative_to(package).as_posix()}" for p in files}
    information = {name for name in names if ".dist-info/" in name}
    assert names - information == ours | {"rgunicorn/_core.abi3.so"}
    assert {name.partition(".dist-info/")[2] for name in information} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "sboms/rgunicorn.cyclonedx.json",
    }


def test_every_file_is_as_recorded() -> None:
    with zipfile.ZipFile(wheel()) as opened:
        [record] = [name for name in opened.namelist() if name.endswith(".dist-info/RECORD")]
        rows = list(csv.reader(opened.read(record).decode().splitlines()))
        assert {row[0] for row in rows} == set(opened.namelist())
        for name, recorded, _ in rows:
            if name != record:
                digest = hashlib.sha256(opened.read(name)).digest()
                text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                assert recorded == f"sha256={text}", name


@pytest.fixture(scope="module")
def told() -> Message:
    """The wheel's METADATA."""
    return email.message_from_bytes(member(wheel(), ".dist-info/METADATA"))


def test_what_it_says_of_itself(told: Message) -> None:
    assert told["Name"] == "rgunicorn"
    assert f'version = "{told["Version"]}"' in (ROOT / "Cargo.toml").read_text()
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.10"
    assert told["Description-Content-Type"].startswith("text/markdown")
    # Nothing that an extra does not ask for.
    assert all("extra ==" in needed for needed in told.get_all("Requires-Dist", []))
    classifiers = told.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    # PyPI refuses a wheel that has these beside a license expression.
    assert not [line for line in classifiers if line.startswith("License ::")]


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_versions_it_names(told: Message, version: str) -> None:
    assert f"Programming Language :: Python :: {version}" in told.get_all("Classifier", [])


def test_it_is_what_the_other_tests_run() -> None:
    """Else the wheel would be another build than the one that the suite is about."""
    import rgunicorn._core

    installed = Path(str(rgunicorn._core.__file__))
    if "site-packages" not in installed.parts:
        pytest.skip("an editable install: `make test` installs the wheel")
    assert installed.read_bytes() == member(wheel(), "/_core.abi3.so")


def test_it_was_built_of_the_sdist() -> None:
    """Not of the tree: the Rust sources lay below the directory that maturin had unpacked."""
    name = sdist().name.removesuffix(".tar.gz").encode()
    paths = re.findall(
        rb"/[\w./-]*/%s(?=\x00|/)" % re.escape(name), member(wheel(), "/_core.abi3.so")
    )
    assert paths
    assert not [path for path in paths if path.startswith(str(ROOT).encode() + b"/src")]
