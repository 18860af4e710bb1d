"""docs/security.md: its defaults and constants are those of the code, and no limit is missing."""

from __future__ import annotations

import re

import pytest

from harness.server import TESTS
from rgunicorn.settings import page
from rgunicorn.settings.base import KNOWN_SETTINGS

ROOT = TESTS.parent
TEXT = (ROOT / "docs/security.md").read_text()
SETTINGS = {setting.name: setting for setting in KNOWN_SETTINGS}
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if re.match(r"\| `[a-z_]+` \| ", line)
]
CONSTANTS = re.findall(r"^\| `(src/[\w/.]+)` `([A-Z0-9_]+)` \| `([^`]+)` \|", TEXT, re.MULTILINE)

LIMITS = re.compile(
    r"^(limit_|max_(?!workers|\w+_jitter)|client_\w+_timeout)"
    r"|_(buffer_size|buffer_limit|connections|allow_ips)$"
    r"|^(permit_|casefold_|strip_)|^(timeout|graceful_timeout|request_timeout|keepalive)$"
)
"""Names of settings that limit a client, or open a door."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("`"))
def test_a_default_is_the_declared_one(row: list[str]) -> None:
    setting = SETTINGS[row[0].strip("`")]
    assert row[1] == page._default(setting)


def test_no_limit_is_missing() -> None:
    named = {row[0].strip("`") for row in ROWS}
    declared = {
        name for name, setting in SETTINGS.items() if LIMITS.search(name) and not setting.unbuilt
    }
    assert declared - named == set()
    assert len(named) > 25


@pytest.mark.parametrize("path, name, value", CONSTANTS)
def test_a_constant_is_the_one_in_the_code(path: str, name: str, value: str) -> None:
    found = re.search(rf"const {name}: \w+ = ([^;]+);", (ROOT / path).read_text())
    assert found and found[1] == value


def test_there_are_constants() -> None:
    assert len(CONSTANTS) > 8


@pytest.mark.parametrize("page", ["docs/security.md", "SECURITY.md"])
def test_what_it_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    ticked = re.findall(r"`((?:src|python|tests|docs)/[\w./-]+)`", text)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths = [ROOT / name for name in ticked]
    paths += [(ROOT / page).parent / link for link in links]
    missing = [str(path) for path in paths if not path.exists()]
    assert not missing
