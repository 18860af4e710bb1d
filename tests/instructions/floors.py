"""What the floors without Python cost, case by case: `benches/instructions.rs` under callgrind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from harness import callgrind
from harness.server import TESTS

ROOT = TESTS.parent
MARK = "instructions::mark"


def built() -> Path:
    """The program, built anew when its sources have changed."""
    cargo = ("cargo", "bench", "--no-run", "--no-default-features", "--bench", "instructions")
    said = subprocess.run(
        [*cargo, "--quiet", "--message-format=json"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1200,
    )
    for message in map(json.loads, said.stdout.splitlines()):
        if message.get("target", {}).get("name") == "instructions" and message.get("executable"):
            return Path(message["executable"])
    raise AssertionError(f"cargo names no program: {said.stdout}")


def counted(directory: Path) -> dict[str, int]:
    """Instructions of one run of each case."""
    output = directory / "counts"
    # At each mark the program prints how often a case had run since the mark before, and which.
    said = subprocess.run(
        [*callgrind.command(output, f"--dump-before={MARK}"), str(built())],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    seen: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(said.stdout.splitlines(), 1):
        runs, _, name = line.partition(" ")
        if runs != "0":
            part = output.with_name(f"{output.name}.{number}")
            seen.setdefault(name, []).append((int(runs), callgrind.read(part).all))
    return {name: difference(*few_and_many) for name, few_and_many in seen.items()}


def difference(few: tuple[int, int], many: tuple[int, int]) -> int:
    return (many[1] - few[1]) // (many[0] - few[0])
