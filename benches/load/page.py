"""Writes a run's tables into a page: `page.py RUN.json docs/performance.md`, ../README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.page import fill


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a run's tables into a page.")
    parser.add_argument("run", type=Path, help="the JSON document that run.py has written")
    parser.add_argument("page", type=Path, help="the page with the markers")
    parser.add_argument("--marker", default="threads", help="NAME of NAME:begin (threads)")
    args = parser.parse_args()
    try:
        fill(args.page, args.marker, json.loads(args.run.read_text()))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
