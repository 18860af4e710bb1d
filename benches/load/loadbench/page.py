"""Tables of a run inside a page that is otherwise written by hand."""

from __future__ import annotations

from pathlib import Path

from loadbench.errors import BenchError
from loadbench.report import Document
from loadbench.tables import aims_table, facts, part_tables, scenario_table


def fill(page: Path, name: str, document: Document) -> None:
    """Replaces what stands between the markers `<!-- NAME:begin … -->` and `<!-- NAME:end -->`.

    Raises BenchError when `page` has no such markers.
    """
    lines = page.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(f"<!-- {name}:begin")]
    ends = [number for number, line in enumerate(lines) if line == f"<!-- {name}:end -->"]
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise BenchError(f"{page} needs the markers {name}:begin and {name}:end, once, in order")
    text = [*lines[: starts[0] + 1], "", *_section(document), "", *lines[ends[0] :]]
    page.write_text("\n".join(text) + "\n")


def _section(document: Document) -> list[str]:
    lines = facts(document)
    for failure in document["failures"]:
        lines += ["", f"**Failed**: {failure}"]
    blocks = [("Aims", aims_table(document))]
    blocks += [
        (scenario["title"], scenario_table(document, scenario))
        for scenario in document["scenarios"]
    ]
    for title, table in [*blocks, *part_tables(document)]:
        if table:
            lines += ["", f"### {title[0].upper()}{title[1:]}", "", *table]
    return lines
