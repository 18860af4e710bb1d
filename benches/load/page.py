"""Writes a run's tables and charts into pages: `page.py RUN.json docs/performance.md README.md`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.page import write_numbers, write_page


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a run's tables and charts into a page.")
    parser.add_argument("run", type=Path, help="the JSON document that run.py has written")
    parser.add_argument("page", type=Path, help="the page with the markers; charts go beside it")
    parser.add_argument("readme", type=Path, nargs="?", help="gets the table of a few scenarios")
    args = parser.parse_args()
    try:
        found = json.loads(args.run.read_text())
        write_page(args.page, found)
        if args.readme is not None:
            write_numbers(args.readme, found)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
