"""Has coverage.py watch every process of some Python environments, in whatever way it is started.

A .pth file in each of them starts it. Variables would not do: tests start servers and commands with
an environment of their own, and a variable more is something that a server can see.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = HERE / "python.ini"
START = HERE / "start.py"
# Before `a1_coverage.pth`, coverage.py's own.
PTH = "a0_rgunicorn_covered.pth"
_LOOK = """
import importlib.util, sysconfig
print(importlib.util.find_spec("greenlet") is not None, sysconfig.get_path("purelib"))
"""


@contextlib.contextmanager
def watched(pythons: Sequence[str], data: Path) -> Iterator[None]:
    """Watches what runs meanwhile.

    Args:
        pythons: an interpreter of each environment; coverage.py is installed there.
        data: each process leaves a file with this name and something behind it.
    """
    with contextlib.ExitStack() as stack:
        for number, python in enumerate(pythons):
            looked = subprocess.run([python, "-c", _LOOK], check=True, capture_output=True)
            greenlets, _, purelib = looked.stdout.decode().strip().partition(" ")
            # Greenlets share a thread and each has a stack of its own.
            threads = "thread, greenlet" if greenlets == "True" else "thread"
            ini = data.with_name(f"watched-{number}.ini")
            ini.write_text(configuration(data, threads))
            file = stack.enter_context(ini.open())
            fcntl.flock(file, fcntl.LOCK_EX)
            pth = Path(purelib) / PTH
            stack.callback(pth.unlink, missing_ok=True)
            pth.write_text(line(ini) + "\n")
        yield


def line(ini: Path) -> str:
    """What a .pth file says, so that a process is watched while `ini` is locked."""
    names = {"INI": str(ini)}
    return f"import sys; exec(open({str(START)!r}).read(), {names!r})"


def configuration(data: Path, threads: str = "thread") -> str:
    """Text for coverage.py."""
    text = CONFIG.read_text()
    return text.replace("= DATA\n", f"= {data}\n").replace("= THREADS\n", f"= {threads}\n")


def excluded() -> list[str]:
    """Patterns of the code that the figures leave out."""
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(CONFIG.read_text())
    return parsed.get("report", "exclude_also").split("\n")[1:]
