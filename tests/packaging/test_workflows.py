"""`.github/workflows`: what GitHub would run, as far as that can be told without GitHub."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.server import TESTS

ROOT = TESTS.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

# Commits of releases, as the repositories of these actions have them (`git show-ref`, 2026-11-22).
# Of the last one only old releases could be looked at; its commit is what other projects have
# pinned for this version.
PINNED = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/setup-python": ("5fda3b95a4ea91299a34e894583c3862153e4b97", "v7.0.0"),
    "actions/upload-artifact": ("bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/attest-build-provenance": ("a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32", "v4.1.0"),
    "pypa/gh-action-pypi-publish": ("ed0c53931b1dc9bd32cbe73a98c7f6766f8a527e", "v1.13.0"),
}


def parsed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    return found


def passes(*words: str) -> None:
    """A command of the interpreter's environment has nothing to say against the workflows."""
    program = Path(sys.executable).parent / words[0]
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_workflows() -> None:
    files = map(str, WORKFLOWS)
    passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)


def test_nothing_is_open_to_strangers() -> None:
    """Injected expressions, permissions that are too wide, credentials that stay on disk …"""
    passes("zizmor", "--offline", "--no-progress", "--persona=pedantic", *map(str, WORKFLOWS))


def test_every_action_is_one_commit() -> None:
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines()]
    used = {line.partition("uses: ")[2] for line in lines if "uses: " in line}
    assert used == {f"{name}@{commit} # {tag}" for name, (commit, tag) in PINNED.items()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_they_make_is_there(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for words in re.findall(r"\bmake ([a-z-]+)(?: |$)", path.read_text(), re.MULTILINE):
        assert re.search(rf"^{words}:", makefile, re.MULTILINE), words


def test_only_what_was_tried_and_attested_is_published() -> None:
    release = parsed("release.yml")
    jobs = release["jobs"]
    assert release["permissions"] == {}
    assert (jobs["publish"]["needs"], jobs["attest"]["needs"]) == ("attest", "build")
    # Trusted publishing: it may say who it is, and nothing else; it runs no code of ours.
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert all("run" not in step for step in jobs["publish"]["steps"])
    assert any("wheels-smoke" in step.get("run", "") for step in jobs["build"]["steps"])


def test_a_release_is_for_older_systems_too() -> None:
    """Without zig the wheel would ask for the glibc of the runner."""
    [build] = [
        step["run"]
        for step in parsed("release.yml")["jobs"]["build"]["steps"]
        if "make " in step.get("run", "")
    ]
    assert "ZIG=1" in build.split()


def test_both_run_the_versions_that_we_name() -> None:
    named = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text())
    for name, job in (("ci.yml", "test"), ("release.yml", "build")):
        steps = parsed(name)["jobs"][job]["steps"]
        [chosen] = [
            step["with"]["python-version"]
            for step in steps
            if "python-version" in step.get("with", {})
        ]
        assert set(chosen.split()) - {"3.14t"} == set(named) - {"3.14"}
