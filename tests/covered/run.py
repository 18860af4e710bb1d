"""How much of the code the tests run: `make coverage`. Writes the figures into docs/coverage.md.

Fails when code of the pure floors is missed that the page does not list, when the page lists what
is not missed any more, and when less of the Python is run than it should be.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from covered import rust, watch

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/coverage.md"
WORK = ROOT / "target/coverage"
PYTHON_GOAL = 95.0
LOW = 90
COUNTS = "tests/instructions/test_instructions.py::test_requests"
"""They count what being watched costs."""
_ROW = re.compile(r"^\| `(src/[^`]+)` \| `` ?(.+?) ?`` \| (.+) \|$", re.M)


def unreachable(page: str) -> set[tuple[str, str]]:
    """File and code of what the page says that nothing can reach."""
    return {(file, code.replace(r"\|", "|")) for file, code, _ in _ROW.findall(page)}


def judge(floors: dict[str, rust.Floor], listed: set[tuple[str, str]]) -> list[str]:
    """What does not agree with the list, as lines for people."""
    places = {place for name in rust.PURE for place in floors[name].places}
    unlisted = [
        f"not run, and not listed: {place}"
        for place in sorted(places)
        if not any(place.file == file and code in place.text for file, code in listed)
    ]
    gone = [
        f"listed, but run (or gone): {file}: {code}"
        for file, code in sorted(listed)
        if not any(place.file == file and code in place.text for place in places)
    ]
    return unlisted + gone


def write(name: str, text: str) -> None:
    """Puts figures into the page, between the comments that say which."""
    part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    page, found = part.subn(lambda it: it[1] + text + it[2], PAGE.read_text())
    if not found:
        raise SystemExit(f"{PAGE} has no place for the figures of {name}")
    PAGE.write_text(page)


def of_rust() -> list[str]:
    """Measures the pure floors; returns what is wrong."""
    say("Rust: the tests of the pure floors, instrumented (minutes)")
    floors = rust.measure(ROOT, WORK / "rust.json")
    rows = ["| floor | branches | not run | regions | not run |", "|---|--:|--:|--:|--:|"]
    for name in rust.PURE:
        it = floors[name]
        rows.append(
            f"| `src/{name}` | {it.branches} | {it.missed_branches} "
            f"| {it.regions} | {it.missed_regions} |"
        )
    table = "\n".join(rows)
    write("rust", f"{today()}:\n\n{table}\n")
    print(table)
    return judge(floors, unreachable(PAGE.read_text()))


def of_python(arguments: list[str], add: bool) -> list[str]:
    """Runs pytest with every Python process watched; returns what is wrong.

    Args:
        arguments: for pytest.
        add: count what earlier runs have run as well, instead of forgetting it.
    """
    data, runs = WORK / "python", WORK / "runs.txt"
    if not add:
        shutil.rmtree(data, ignore_errors=True)
        runs.unlink(missing_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    # Workers may run as somebody else.
    data.chmod(0o1777)
    say("Python: the suite, with every server and worker watched (most of an hour for all of it)")
    pythons = [sys.executable, os.environ.get("RGUNICORN_THIRDPARTY_PYTHON", "")]
    with watch.watched([it for it in pythons if it], data / "it"), runs.open("a") as said:
        print(" ".join(["pytest", *arguments]), file=said, flush=True)
        suite = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--deselect={COUNTS}"]
        suite += arguments
        failed = subprocess.run(suite, cwd=ROOT).returncode
    return (["tests have failed"] if failed else []) + figures(data, runs.read_text().splitlines())


def figures(data: Path, runs: list[str]) -> list[str]:
    """Writes what the processes of `runs` have seen into the page; returns what is wrong."""
    say(f"Python: what {len(list(data.glob('it.*')))} processes have seen, together")
    percent, lines = combined(data)
    what = "; ".join(f"`{run}`" for run in runs)
    write("python", f"{today()}, {what}:\n\n{lines}\n")
    print(lines)
    if percent < PYTHON_GOAL:
        return [f"Python: {percent:.1f} %, and {PYTHON_GOAL:.0f} % it should be"]
    return []


def combined(data: Path) -> tuple[float, str]:
    """Lines and branches that were run, in percent, and a table by directory."""
    # Only this needs it: the list of places is checked without.
    import coverage

    ini = WORK / "python.ini"
    ini.write_text(watch.configuration(data / "it"))
    seen = coverage.Coverage(config_file=str(ini), data_file=str(WORK / "python.data"))
    seen.combine([str(file) for file in data.glob("it.*")], keep=True)
    seen.save()
    with (WORK / "python.txt").open("w") as details:
        seen.report(file=details, show_missing=True, skip_covered=True)
    seen.json_report(outfile=str(WORK / "python.json"))
    document = json.loads((WORK / "python.json").read_text())
    rows = [
        "| part | statements | not run | branches | not taken | % |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    groups: dict[str, Counter[str]] = {}
    low = []
    for file, found in document["files"].items():
        parts = Path(file).parts
        inner = parts[parts.index("rgunicorn") :]
        part = f"{inner[1]}/" if len(inner) > 2 else "*.py"
        groups.setdefault(part, Counter()).update(found["summary"])
        if (percent := found["summary"]["percent_covered"]) < LOW:
            low.append(f"`{'/'.join(inner[1:])}` {percent:.0f}")
    rows += [_row(f"`{part}`", sums) for part, sums in sorted(groups.items())]
    rows.append(_row("all", document["totals"]))
    rows += ["", f"Files below {LOW} %: {', '.join(sorted(low)) or 'none'}."]
    return document["totals"]["percent_covered"], "\n".join(rows)


def _row(name: str, sums: Mapping[str, int]) -> str:
    statements, branches = sums["num_statements"], sums["num_branches"]
    run = sums["covered_lines"] + sums["covered_branches"]
    percent = 100 * run / max(statements + branches, 1)
    missed = f"{sums['missing_lines']} | {branches} | {sums['missing_branches']}"
    return f"| {name} | {statements} | {missed} | {percent:.1f} |"


def today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def say(what: str) -> None:
    print(f"== {datetime.datetime.now():%H:%M:%S} {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="What the tests run: docs/coverage.md")
    parser.add_argument("--only", choices=["rust", "python"], help="one half")
    parser.add_argument("--add", action="store_true", help="to what earlier runs of pytest ran")
    options, rest = parser.parse_known_args()
    WORK.mkdir(parents=True, exist_ok=True)
    wrong = of_rust() if options.only != "python" else []
    if options.only != "rust":
        wrong += of_python(rest or ["-n", "3", "--dist", "loadfile"], options.add)
    for line in wrong:
        print(line, file=sys.stderr)
    say("done" if not wrong else f"{len(wrong)} things to mend")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
