"""What `make wheel` has built, and the interpreters to try it on."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

STABLE = ["3.10", "3.11", "3.12", "3.13"]
"""CPython versions that the wheel of the stable ABI is tried on."""


def dist() -> Path:
    """The directory with the sdist and the wheels; skips the test where nothing was built."""
    place = os.environ.get("RGUNICORN_DIST")
    if not place:
        pytest.skip("RGUNICORN_DIST is not set: `make test` builds the wheel and sets it")
    return Path(place)


def only(pattern: str) -> Path:
    """The one file of this name in `dist`."""
    found = sorted(dist().glob(pattern))
    assert len(found) == 1, f"{pattern} in {dist()}: {found}"
    return found[0]


def wheel() -> Path:
    """The wheel of the stable ABI."""
    return only("rgunicorn-*-abi3-*.whl")


def sdist() -> Path:
    return only("rgunicorn-*.tar.gz")


def member(archive: Path, ending: str) -> bytes:
    """The one file of a wheel whose path ends so."""
    with zipfile.ZipFile(archive) as opened:
        found = [name for name in opened.namelist() if name.endswith(ending)]
        assert len(found) == 1, f"{ending} in {archive}: {found}"
        return opened.read(found[0])


def interpreter(version: str) -> Path | None:
    """CPython of `version` ("3.12"), from pyenv or from PATH; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    found = sorted(pyenv.glob(f"{version}.*/bin/python3"))
    for path in [*found, Path(on_path)] if on_path else found:
        # A shim of pyenv is there also when its version is not chosen, and then fails.
        told = subprocess.run(
            [path, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
        if told.stdout.strip() == version:
            return path
    return None
