"""`benches/instructions.json`: the instructions of the hot path, as last agreed upon."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import callgrind
from harness.callgrind import Counted
from harness.server import TESTS

FILE = TESTS.parent / "benches/instructions.json"
UPDATE = "make instructions"

FLOORS, REQUESTS = 1.15, 1.25
"""So many times the figure in the file is a regression. Another compiler or C library must not be
one, and what a request costs varies by some per cent with who is quicker, client or server."""
OTHER_CPU = 1.6
"""And that many times where memchr and the C library choose other instructions."""


@dataclass(frozen=True)
class Machine:
    """What counts depend on, beside our code."""

    target: str
    avx2: bool
    python: str
    rustc: str
    valgrind: str

    @classmethod
    def here(cls) -> Machine:
        said = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True)
        return cls(
            target=f"{platform.machine()} {platform.system()} {' '.join(platform.libc_ver())}",
            avx2=" avx2 " in Path("/proc/cpuinfo").read_text(),
            python=platform.python_version(),
            rustc=said.stdout.split()[1],
            valgrind=callgrind.version(),
        )

    @property
    def architecture(self) -> str:
        return self.target.split()[0]

    @property
    def python_minor(self) -> str:
        return self.python.rpartition(".")[0]


@dataclass(frozen=True)
class Figures:
    """Instructions, and where they were counted."""

    machine: Machine
    floors: Mapping[str, int]
    """Of one run of each case of benches/instructions.rs."""
    requests: Mapping[str, Counted]
    """Of one request of each kind."""

    def write(self) -> None:
        document = {
            "written_by": UPDATE,
            "machine": vars(self.machine),
            "floors": dict(self.floors),
            "requests": {name: vars(counted) for name, counted in self.requests.items()},
        }
        FILE.write_text(json.dumps(document, indent=2) + "\n")

    @classmethod
    def read(cls) -> Figures:
        document = json.loads(FILE.read_text())
        requests = {name: Counted(**counted) for name, counted in document["requests"].items()}
        return cls(Machine(**document["machine"]), document["floors"], requests)


PARTS = ("ours", "all")


def of(requests: Mapping[str, Counted], part: str) -> dict[str, int]:
    """The instructions of each request: `all`, or `ours`, those of the extension module."""
    return {f"{name}, {part}": getattr(counted, part) for name, counted in requests.items()}


def regressions(before: Mapping[str, int], now: Mapping[str, int], bound: float) -> str:
    """What has become dearer than `bound` allows, or is not in the file, a line each."""
    lines = []
    for name, count in now.items():
        if name not in before:
            lines.append(f"{name}: {count} instructions, and {FILE.name} does not know it")
        elif count > before[name] * bound:
            times = count / before[name]
            lines.append(
                f"{name}: {before[name]} instructions before, {count} now: "
                f"{times:.2f} times, {bound:.2f} are allowed"
            )
    lines += [f"{name}: in {FILE.name}, but nobody counts it" for name in before if name not in now]
    if lines:
        lines.append(f"If that is how it has to be: `{UPDATE}` writes benches/{FILE.name} anew.")
    if any(count > 4 * before.get(name, count) for name, count in now.items()):
        lines.append("So much dearer? The figures are those of a release build.")
    return "\n".join(lines)
