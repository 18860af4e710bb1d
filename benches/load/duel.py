"""Two builds against each other, looked at closely: `duel.py results/load-….json …`.

Reads documents of `run.py --ab A B` and says B / A for CPU time per request, and for user and
system time by themselves: what a few nanoseconds cost is less than what the kernel does differently
from one round to the next. Two estimates each. The median of the ratios of one round's two runs,
with its quartiles; and the cheapest run of B by the cheapest of A, for what disturbs a run only
makes it dearer. Where they differ, the machine was not quiet enough.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import quantiles
from typing import Any

_KINDS = {
    "all": ("user_s", "system_s"),
    "user": ("user_s",),
    "system": ("system_s",),
}


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: duel.py DOCUMENT.json ...", file=sys.stderr)
        return 2
    for path in map(Path, sys.argv[1:]):
        document = json.loads(path.read_text())
        print(f"\n{path.name}: {document['command']}")
        print(f"{'B / A':12} {'CPU':7} {'rounds':>6} {'median':>7} {'quartiles':>13} {'best':>7}")
        for scenario in document["scenarios"]:
            _compare(document["samples"], scenario["name"])
    return 0


def _compare(samples: list[dict[str, Any]], scenario: str) -> None:
    mine = [one for one in samples if one["scenario"] == scenario]
    for kind, fields in _KINDS.items():
        cost = {
            (one["server"], one["round"]): sum(one[field] for field in fields) / one["requests"]
            for one in mine
        }
        rounds = {number for _, number in cost if ("A", number) in cost and ("B", number) in cost}
        if len(rounds) < 2:
            print(f"{scenario:12} {kind:7} {len(rounds):6} needs two rounds or more")
            continue
        low, middle, high = quantiles(
            (cost["B", number] / cost["A", number] for number in rounds), n=4, method="inclusive"
        )
        best = min(cost["B", number] for number in rounds) / min(
            cost["A", number] for number in rounds
        )
        spread = f"{low:.3f}–{high:.3f}"
        print(f"{scenario:12} {kind:7} {len(rounds):6} {middle:7.3f} {spread:>13} {best:7.3f}")


if __name__ == "__main__":
    raise SystemExit(main())
