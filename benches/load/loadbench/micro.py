"""The Rust benchmarks (`benches/*.rs`, no Python in them), read from what divan prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from loadbench.command import output_of
from loadbench.errors import BenchError
from loadbench.paths import REPOSITORY

_UNITS_NS = {"ps": 1e-3, "ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}
_TIME = r"([\d.]+) (ps|ns|µs|ms|s)"
# `│  ├─ name        12.5 ns `: the tree, the name, and for a leaf its fastest time.
_NODE = re.compile(rf"^(?P<tree>(?:│  |   )*)[├╰]─ (?P<name>.*?)(?:\s{{2,}}{_TIME})?\s*$")
_SPELLED = re.compile(_TIME)


@dataclass(frozen=True)
class Micro:
    """One benchmark, in nanoseconds of wall time per iteration."""

    bench: str
    name: str
    fastest_ns: float
    median_ns: float
    slowest_ns: float
    allocations: float | None
    """Per iteration, median: new ones and those that grew. None when nobody counted."""


def build_micro() -> None:
    """Builds the benchmarks without the Python floor; raises BenchError when cargo fails."""
    output_of(["cargo", "bench", "--no-default-features", "--no-run"], cwd=REPOSITORY)


def run_micro(core: int, *, quick: bool = False) -> list[Micro]:
    """Runs them on `core`; raises BenchError when cargo fails. `quick` means nothing."""
    command = ["taskset", "-c", str(core), "cargo", "bench", "--no-default-features"]
    if quick:
        command += ["--", "--max-time", "0.02", "--sample-count", "10"]
    return parse(output_of(command, cwd=REPOSITORY), counting(REPOSITORY / "benches"))


def counting(directory: Path) -> set[str]:
    """Names of the benchmarks in `directory` that count allocations."""
    return {path.stem for path in directory.glob("*.rs") if "AllocProfiler" in path.read_text()}


def parse(said: str, counts_allocations: set[str]) -> list[Micro]:
    """Reads divan's trees; raises BenchError when there is none.

    Each leaf is a line `├─ name  fastest │ slowest │ median │ mean │ samples │ iters`. Below it may
    stand blocks `alloc:`, `grow:` and others, whose next line has a count per column; divan leaves
    them out when there was nothing to count.
    """
    found: list[Micro] = []
    bench, path, block = "", list[str](), ""
    for line in said.splitlines():
        cells = line.rsplit("│", 5)
        if len(cells) == 6 and cells[0].rstrip().endswith("fastest"):
            bench, path = cells[0].split()[0], []
            continue
        if len(cells) != 6 or not bench:
            continue
        node = _NODE.match(cells[0])
        if node is None:
            found, block = _count(found, cells, block)
            continue
        block = ""
        depth = len(node["tree"]) // 3
        path = [*path[:depth], node["name"].strip()]
        if node[3] is not None:
            allocations = 0.0 if bench in counts_allocations else None
            slowest, median = _ns(cells[1]), _ns(cells[2])
            fastest = float(node[3]) * _UNITS_NS[node[4]]
            found.append(Micro(bench, ": ".join(path), fastest, median, slowest, allocations))
    if not found:
        raise BenchError(f"no benchmark in {said[-500:]!r}")
    return found


def _count(found: list[Micro], cells: list[str], block: str) -> tuple[list[Micro], str]:
    """A line of a block below the last benchmark: its title, or the first line after that."""
    said = cells[0].lstrip("│ ").strip()
    if said.endswith(":"):
        return found, said
    if block not in ("alloc:", "grow:") or not found:
        return found, ""
    last = found[-1]
    sum_ = (last.allocations or 0.0) + float(cells[2])
    changed = Micro(**{**vars(last), "allocations": sum_})
    return [*found[:-1], changed], ""


def _ns(cell: str) -> float:
    spelled = _SPELLED.search(cell)
    if spelled is None:
        raise BenchError(f"no time in {cell!r}")
    return float(spelled[1]) * _UNITS_NS[spelled[2]]
