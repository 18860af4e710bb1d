"""The bill of materials in the wheel (PEP 770): every crate that is linked into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from harness.dist import member, wheel
from harness.server import TESTS

ROOT = TESTS.parent


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """CycloneDX, as maturin has written it."""
    found: dict[str, Any] = json.loads(member(wheel(), ".dist-info/sboms/rgunicorn.cyclonedx.json"))
    return found


def linked() -> set[tuple[str, str]]:
    """Name and version of every crate that cargo links for the features of the wheel."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    words = "tree --locked --edges normal --prefix none --format {p} --no-default-features"
    done = subprocess.run(
        [cargo, *words.split(), "--features", "python"],
        cwd=ROOT,
        env=os.environ | {"CARGO_TERM_COLOR": "never"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = set(re.findall(r"^([\w-]+) v(\S+)", done.stdout, re.MULTILINE))
    assert ("pyo3", locked()["pyo3"]) in found
    return found


def locked() -> dict[str, str]:
    text = (ROOT / "Cargo.lock").read_text()
    return dict(re.findall(r'^name = "([\w-]+)"\nversion = "(\S+)"', text, re.MULTILINE))


def test_it_is_cyclonedx_about_us(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    subject = bill["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("rgunicorn", locked()["rgunicorn"])


def test_every_linked_crate_is_in_it(bill: dict[str, Any]) -> None:
    required = {
        (part["name"], part["version"])
        for part in bill["components"]
        if part["scope"] == "required"
    }
    missing = linked() - required - {("rgunicorn", locked()["rgunicorn"])}
    assert missing == set()


def test_every_crate_has_licence_checksum_and_address(bill: dict[str, Any]) -> None:
    text = (ROOT / "Cargo.lock").read_text()
    for part in bill["components"]:
        assert part["purl"].startswith(f"pkg:cargo/{part['name']}@"), part
        assert part["licenses"], part
        [checksum] = part["hashes"]
        assert f'checksum = "{checksum["content"]}"' in text, part["name"]
