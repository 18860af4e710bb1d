"""Writes a run's tables and charts into a page: `page.py RUN.json docs/performance.md`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.page import write_page


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a run's tables and charts into a page.")
    parser.add_argument("run", type=Path, help="the JSON document that run.py has written")
    parser.add_argument("page", type=Path, help="the page with the markers; charts go beside it")
    args = parser.parse_args()
    try:
        write_page(args.page, json.loads(args.run.read_text()))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
