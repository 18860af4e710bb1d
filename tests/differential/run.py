"""A long run: `.venv/bin/python -m differential.run --seconds 600` in `tests/`.

Says where it is every ten seconds, ends with what it found; exit code 1 when that is anything.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .compare import Comparison, Tally
from .theirs import gunicorn

PYTHON = Path(__file__).parents[2] / ".venv-gunicorn/bin/python"


def run(python: str, first: int, seconds: float) -> Tally:
    """Compares the connections of the seeds from `first` on, for that many seconds."""
    with gunicorn(python) as helper:
        comparison = Comparison(helper)
        seed, began = first, time.monotonic()
        said = began
        while (now := time.monotonic()) - began < seconds:
            comparison.compare(seed)
            seed += 1
            if now - said > 10:
                said = now
                print(told(comparison.tally), f"at seed {seed}", flush=True)
    return comparison.tally


def told(tally: Tally) -> str:
    return (
        f"{tally.connections} connections, {tally.requests} requests taken, "
        f"{sum(tally.listed.values())} listed, {len(tally.findings)} findings"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=1_000_000, help="seed to begin with")
    parser.add_argument("--gunicorn", default=str(PYTHON), help="interpreter that has Gunicorn")
    options = parser.parse_args()
    tally = run(options.gunicorn, options.first, options.seconds)
    print(told(tally))
    for why, count in tally.listed.most_common():
        print(f"  {count:6} {why}")
    for finding in tally.findings[:20]:
        print(finding)
    return bool(tally.findings)


if __name__ == "__main__":
    sys.exit(main())
