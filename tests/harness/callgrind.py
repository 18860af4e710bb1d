"""Instructions, counted by callgrind: of a program that marks what is to be told apart."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("marks.c")
HEADER = Path("/usr/include/valgrind/callgrind.h")
OURS = "_core.abi3.so"

_OBJECT = re.compile(r"ob=\((\d+)\)(?: (.*))?")
_CALLED = re.compile(r"cob=\((\d+)\) (.*)")


def missing() -> str:
    """What is missing to count, in words; empty when nothing is."""
    for tool in ("valgrind", "cc"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return "" if HEADER.exists() else f"{HEADER} is not installed (Debian: valgrind)"


@dataclass(frozen=True)
class Counted:
    """Instructions of one piece of work."""

    all: int
    ours: int
    """Those in the extension module."""

    def less(self, other: Counted, times: int) -> Counted:
        """What one of `times` repetitions costs which this has and `other` has not."""
        return Counted((self.all - other.all) // times, (self.ours - other.ours) // times)


def built(directory: Path) -> Path:
    """The library with the marks a Python program can set: `MARKS` of apps/measured.py."""
    library = directory / "marks.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)], check=True, timeout=60
    )
    return library


def command(output: Path, *options: str) -> tuple[str, ...]:
    """What to put before a program. Counts go to files whose names begin with `output`."""
    return ("valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", *options)


def version() -> str:
    """Of valgrind, as `3.19.0`."""
    said = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True)
    return said.stdout.strip().removeprefix("valgrind-")


def read(part: Path) -> Counted:
    """What one file of callgrind counts, each instruction once (its manual: "File format")."""
    objects: dict[str, str] = {}
    costs: Counter[str] = Counter()
    current, is_call = "", False
    with part.open(errors="replace") as lines:
        for line in lines:
            if line[:1].isdigit() or line[:1] in "+-*":
                # The line after `calls=` says what the callee cost, which has its own lines.
                if not is_call:
                    costs[current] += int(line.split()[1])
                is_call = False
            elif line.startswith("calls="):
                is_call = True
            elif found := _OBJECT.match(line):
                current, name = found.groups()
                if name:
                    objects[current] = name
            elif found := _CALLED.match(line):
                objects[found[1]] = found[2]
    ours = sum(cost for key, cost in costs.items() if objects.get(key, "").endswith(OURS))
    return Counted(sum(costs.values()), ours)


def marked(output: Path, mark: str) -> Counted:
    """What was counted before the mark of this name that a program set by its library."""
    for part in output.parent.glob(f"{output.name}*"):
        with part.open("rb") as lines:
            # The description is at the beginning.
            if f"desc: Trigger: Client Request: {mark}\n".encode() in itertools.islice(lines, 20):
                return read(part)
    raise AssertionError(f"no counts for the mark {mark} in {output}*")
