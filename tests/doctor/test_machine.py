"""What the machine says of itself, and what a config file says as a text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rgunicorn.doctor import machine
from rgunicorn.doctor.machine import Machine
from rgunicorn.doctor.source import Source


def test_this_machine() -> None:
    here = Machine()
    assert here.euid == os.geteuid()
    assert 0 < here.cpus <= len(os.sched_getaffinity(0))
    assert here.memory and here.memory > 1 << 20
    assert here.file_system("/proc/self/stat") == "proc"
    assert here.in_memory("/dev/shm") == (here.file_system("/dev/shm") == "tmpfs")
    assert not here.in_memory("/proc")


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({"memory.max": "1048576"}, 1048576),
        ({"memory.max": "max"}, None),
        ({"memory/memory.limit_in_bytes": "2097152"}, 2097152),
        ({"memory/memory.limit_in_bytes": str((1 << 63) - 4096)}, None),
    ],
)
def test_limits_of_a_container(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    memory: int | None,
) -> None:
    """cgroup v2 and v1, with and without limits; None is the machine's own. CPUs:
    `config/test_cpus.py`."""
    monkeypatch.setattr(machine, "CGROUP", str(tmp_path / "none"))
    bare = Machine()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(machine, "CGROUP", str(tmp_path))
    limited = Machine()
    assert limited.memory == (memory or bare.memory)


def test_writable(tmp_path: Path) -> None:
    here = Machine()
    (tmp_path / "log").touch()
    for path in ("log", "new.log"):
        assert here.writable(str(tmp_path / path)), path
    assert here.writable("/dev/null")
    assert not here.writable(str(tmp_path))
    assert not here.writable(str(tmp_path / "missing" / "log"))


def test_names_of_a_file() -> None:
    source = Source(
        "x.py",
        "import a.b as c, d.e\n"
        "from f import g as h\n"
        "one = 1\n"
        "if one:\n"
        "    two: int = 2\n"
        "else:\n"
        "    three, four = 3, 4\n"
        "try:\n"
        "    five = 5\n"
        "except ValueError:\n"
        "    six = 6\n"
        "def seven():\n"
        "    global eight\n"
        "    inner = two\n"
        "one = 7\n",
    )
    assert source.imported == {"c", "d", "h"}
    assert source.bound == {
        "one": 15,
        "two": 5,
        "three": 7,
        "four": 7,
        "five": 9,
        "six": 11,
        "seven": 12,
    }
    assert {"one", "two", "eight"} <= source.read
    assert not {"three", "inner"} & source.read
    assert source.line(5) == "two: int = 2"
    assert source.line(99) == ""


def test_a_text_that_is_no_python() -> None:
    assert Source("x", "def\n").bound == {}
    assert Source("x", "\0").bound == {}
