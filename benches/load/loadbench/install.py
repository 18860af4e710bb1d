"""Builds what is measured: a virtual environment for each Python server, cargo for the tools."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from loadbench.command import output_of
from loadbench.errors import BenchError, Unavailable
from loadbench.paths import APPS, BENCH, REPOSITORY, RESPONDER

_PYTHON_TAG = f"{sys.version_info.major}.{sys.version_info.minor}"
_PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
FRAMEWORKS = APPS / "requirements.txt"
"""What the applications import; the same in every server's environment."""


def venv_python(name: str) -> Path:
    """The interpreter of the environment `name`, made from the Python that runs the harness."""
    directory = BENCH / f"venv-{name}-{_PYTHON_TAG}"
    python = directory / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(directory)])
    return python


def install(name: str, requirement: str, *also: str) -> Path:
    """The interpreter of an environment that has exactly `requirement` (`name==version`).

    `also` are requirements that are installed together with it. The frameworks are there too.
    """
    python = venv_python(name)
    distribution, _, wanted = requirement.partition("==")
    if installed_version(python, distribution) != wanted:
        _run([str(python), *_PIP_INSTALL, requirement, *also])
    return with_frameworks(python)


@cache  # several configurations of rgunicorn are one build
def install_tree(name: str, trained: bool = False) -> Path:
    """The interpreter of an environment with this tree's wheel, built now (release profile).

    Always built again, cargo knows what is fresh: numbers of a stale build are worse than none.

    Args:
        trained: built with a profile of itself, as releases are (`make wheel PGO=1`).
    """
    python = venv_python(name)
    source = [str(REPOSITORY)]
    if trained:
        _run(["make", "-C", str(REPOSITORY), "wheel", "PGO=1"])
        source = ["--no-index", "--find-links", str(REPOSITORY / "dist"), "rgunicorn"]
    _run([str(python), *_PIP_INSTALL, "--force-reinstall", "--no-deps", *source])
    return with_frameworks(python)


def with_frameworks(python: Path) -> Path:
    """`python`, whose environment has FRAMEWORKS now; a stamp beside it says which."""
    stamp = python.parent.parent / "frameworks.txt"
    wanted = FRAMEWORKS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        _run([str(python), *_PIP_INSTALL, "--requirement", str(FRAMEWORKS)])
        stamp.write_text(wanted)
    return python


def missing_frameworks(python: Path) -> list[str]:
    """Which of FRAMEWORKS an environment that is not ours does not have in that version."""
    lines = FRAMEWORKS.read_text().splitlines()
    wanted = [line for line in lines if line.startswith(("Django==", "Flask=="))]
    missing = []
    for line in wanted:
        name, _, version = line.partition("==")
        if installed_version(python, name) != version:
            missing.append(line)
    return missing


def build_responder() -> Path:
    """The floor's executable."""
    return _build_tools() / "responder"


def build_responder_library() -> Path:
    """The same as a library."""
    return _build_tools() / "libresponder.so"


def build_crowd() -> Path:
    """The client with many connections."""
    return _build_tools() / "crowd"


@cache
def _build_tools() -> Path:
    target = BENCH / "responder-target"
    manifest = str(RESPONDER / "Cargo.toml")
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest]
    _run([*command, "--target-dir", str(target)])
    return target / "release"


def installed_version(python: Path, distribution: str) -> str | None:
    """The version of `distribution` that `python` imports, None when it has none."""
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    command = [str(python), "-c", code, distribution]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def require_tools(*names: str) -> None:
    """Raises BenchError naming every tool that is not on PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise BenchError(f"not installed: {', '.join(missing)}")


def _run(command: list[str]) -> None:
    output_of(command, Unavailable)
