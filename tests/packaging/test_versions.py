"""One version of ours, one of Gunicorn's, and a changelog that tools can read."""

from __future__ import annotations

import re

import pytest

import rgunicorn
from harness.server import TESTS

ROOT = TESTS.parent
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_our_version() -> None:
    manifest = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert manifest and manifest[1] == rgunicorn.__version__
    # Semantic, and nothing that PEP 440 would write in another way.
    assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", rgunicorn.__version__)


@pytest.mark.parametrize(
    ("file", "spelled"),
    [
        ("tests/requirements-gunicorn.txt", "gunicorn=={}\n"),
        ("docs/versioning.md", "**Gunicorn {}**"),
        ("docs/compatibility.md", "# Differences from Gunicorn {}\n"),
        ("CHANGELOG.md", "Gunicorn {} is"),
        ("README.md", "Gunicorn {}"),
    ],
)
def test_which_gunicorn(file: str, spelled: str) -> None:
    assert spelled.format(rgunicorn.GUNICORN_VERSION) in (ROOT / file).read_text()


def test_the_changelog_is_kept() -> None:
    """https://keepachangelog.com/en/1.1.0/: newest first, dates, six kinds of changes."""
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    versions = []
    for heading in headings[1:]:
        found = re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d\d-\d\d", heading)
        assert found, heading
        versions.append(tuple(map(int, found.groups())))
    assert versions == sorted(versions, reverse=True)
    kinds = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)
    assert kinds and set(kinds) <= KINDS


def test_a_release_is_in_the_changelog() -> None:
    """As long as nothing was released, the version is said to be the next one."""
    assert f"## [{rgunicorn.__version__}] - " in CHANGELOG or (
        f"To be {rgunicorn.__version__}," in CHANGELOG
    )
