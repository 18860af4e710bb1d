"""The books of `run.sh`: kept inputs, and the table of runs in README.md.

A file of `kept/` has one input a line, as Python writes bytes; `tests/fuzz_corpora.rs` runs each of
them on every `cargo test`.
"""

from __future__ import annotations

import ast
import datetime
import fcntl
import hashlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
MOST = 400
"""Inputs that are kept of a target: the shortest. All of them together stay below a megabyte."""
BEGIN, END = "<!-- runs -->\n", "<!-- /runs -->\n"


def unpack(target: str, directory: Path) -> None:
    """Writes each kept input of `target` to a file of its own."""
    kept = HERE / "kept" / f"{target}.txt"
    for line in kept.read_text().splitlines() if kept.exists() else ():
        data = ast.literal_eval(line)
        (directory / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def pack(target: str, directory: Path) -> None:
    """Keeps the inputs in `directory`."""
    found = {path.read_bytes() for path in directory.iterdir()}
    shortest = sorted(found, key=lambda data: (len(data), data))[:MOST]
    (HERE / "kept").mkdir(exist_ok=True)
    (HERE / "kept" / f"{target}.txt").write_text("".join(f"{data!r}\n" for data in shortest))


def row(target: str, log: Path, seconds: str) -> None:
    """Enters a run in the table; the row of an earlier one goes."""
    text = log.read_text(errors="replace")

    def last(pattern: str) -> str:
        found = re.findall(pattern, text)
        return f"{int(found[-1]):,}" if found else "?"

    runs = last(r"stat::number_of_executed_units: (\d+)")
    edges, features = last(r"cov: (\d+)"), last(r"ft: (\d+)")
    found = sorted(set(re.findall(r"Test unit written to (?:\S*/)?(\S+)", text)))
    today = datetime.date.today().isoformat()
    cells = [f"`{target}`", today, seconds, runs, edges, features, ", ".join(found) or "none"]
    readme = HERE / "README.md"
    with readme.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        page = file.read()
        before, _, rest = page.partition(BEGIN)
        table, _, after = rest.partition(END)
        head, rule, *rows = table.splitlines()
        rows = [old for old in rows if not old.startswith(f"| {cells[0]} ")]
        rows.append(f"| {' | '.join(cells)} |")
        lines = "".join(f"{line}\n" for line in [head, rule, *sorted(rows)])
        file.seek(0)
        file.truncate()
        file.write(before + BEGIN + lines + END + after)


def main() -> None:
    match sys.argv[1:]:
        case ["unpack", target, directory]:
            unpack(target, Path(directory))
        case ["pack", target, directory]:
            pack(target, Path(directory))
        case ["row", target, log, seconds]:
            row(target, Path(log), seconds)
        case _:
            sys.exit(__doc__)


main()
