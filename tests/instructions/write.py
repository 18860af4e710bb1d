"""Counts everything and writes `benches/instructions.json`.

PYTHONPATH=tests python -m instructions.write

With `--show` the requests are counted, of the build that `RGUNICORN_UNDER_TEST` names ("PYTHON -m
rgunicorn"), and only compared with the file.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import callgrind
from harness.callgrind import Counted
from instructions import floors, requests
from instructions.figures import FILE, PARTS, Figures, Machine, of


def main() -> int:
    if lack := callgrind.missing():
        print(f"instructions can not be counted: {lack}", file=sys.stderr)
        return 1
    shows = "--show" in sys.argv[1:]
    before = Figures.read() if FILE.exists() else Figures(Machine.here(), {}, {})
    served: dict[str, Counted] = {}
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        cases = {} if shows else floors.counted(root)
        for number, setup in enumerate(requests.SETUPS):
            served |= requests.counted(setup, root / str(number))
    now = Figures(Machine.here(), cases, served)
    if not shows:
        now.write()
    tell(before.floors, now.floors)
    for part in PARTS:
        tell(of(before.requests, part), of(now.requests, part))
    return 0


def tell(before: Mapping[str, int], now: Mapping[str, int]) -> None:
    for name, count in now.items():
        was = before.get(name)
        change = f"{(count / was - 1) * 100:+6.1f} %" if was else "     new"
        print(f"{count:>9} {change}  {name}")


if __name__ == "__main__":
    sys.exit(main())
