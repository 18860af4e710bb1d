"""The package as it is installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

import rgunicorn
import rgunicorn._core  # noqa: F401


def test_one_version() -> None:
    assert importlib.metadata.version("rgunicorn") == rgunicorn.__version__


def test_scripts() -> None:
    found = importlib.metadata.entry_points(group="console_scripts", name="rgunicorn")
    assert [entry.value for entry in found] == ["rgunicorn.app.wsgiapp:run"]


def test_the_core_is_of_the_stable_abi() -> None:
    core = Path(str(sys.modules["rgunicorn._core"].__file__))
    # Free-threaded builds have no stable ABI before 3.15: one wheel for each version.
    version_specific = f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    assert core.name == (version_specific if free_threaded else "_core.abi3.so")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("application = print\n")
    server = subprocess.Popen(
        [sys.executable, "-m", "rgunicorn", "--print-config", "app"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdout is not None
    server.stdout.close()
    _, stderr = server.communicate(timeout=30)
    assert (server.returncode, stderr) == (0, b"")
