"""A run's figures inside a page that is otherwise written by hand, its charts beside the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loadbench.charts.bars import Bar, bar_chart
from loadbench.curves.point import CURVES
from loadbench.digest import digest, numbers
from loadbench.errors import BenchError
from loadbench.growth import growth_charts, growth_table
from loadbench.part_tables import part_tables
from loadbench.report import Document
from loadbench.scenario_table import scenario_table
from loadbench.tables import aims_table, facts, missing

_BEGIN, _END = "<!-- bench:begin", "<!-- bench:end -->"


@dataclass(frozen=True)
class Section:
    """A heading, its lines, and its charts: title and SVG by the name of the file."""

    level: int
    title: str
    lines: list[str] = field(default_factory=list)
    charts: dict[str, tuple[str, str]] = field(default_factory=dict)


def write_page(page: Path, document: Document) -> None:
    """Writes all of `document` between the markers of `page`.

    Charts go to a directory that is named like the page, docs/performance/ for
    docs/performance.md; other SVG files there are deleted. Raises BenchError when `page` has no
    markers.
    """
    sections = [*_sections(document)]
    charts = page.with_suffix("")
    _fill(page, [line for one in sections for line in _markdown(one, charts.name)][:-1])
    _write_charts(charts, {name: svg for one in sections for name, (_, svg) in one.charts.items()})


def write_numbers(page: Path, document: Document) -> None:
    """Writes the table of a few scenarios between the markers of `page`, README.md.

    Raises BenchError when it has no markers.
    """
    _fill(page, [f"Taken on {document['date'][:10]}:", "", *numbers(document)])


def _fill(page: Path, written: list[str]) -> None:
    """Replaces what stands between the lines `<!-- bench:begin … -->` and `<!-- bench:end -->`."""
    lines = page.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_BEGIN)]
    ends = [number for number, line in enumerate(lines) if line == _END]
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise BenchError(f"{page} needs the markers {_BEGIN} … --> and {_END}, once, in order")
    text = [*lines[: starts[0] + 1], "", *written, "", *lines[ends[0] :]]
    page.write_text("\n".join(text) + "\n")


def _sections(document: Document) -> Iterator[Section]:
    yield Section(2, "In short", [*_warnings(document), *digest(document)])
    yield Section(2, "Where and how", facts(document) + missing(document))
    yield from _part(Section(2, "Aims", aims_table(document)))
    for scenario in document["scenarios"]:
        charts = _scenario_chart(document, scenario)
        yield from _part(
            Section(2, _capital(scenario["title"]), scenario_table(document, scenario), charts)
        )
    growth = []
    for curve in CURVES:
        table, charts = growth_table(document, curve), growth_charts(document, curve)
        growth += [*_part(Section(3, _capital(curve.title), table, charts))]
    if growth:
        yield Section(2, "Growth", [_GROWTH])
        yield from growth
    for title, table in part_tables(document):
        yield from _part(Section(2, title, table))


_GROWTH = (
    "Straight and rising by one power of ten per power of ten is linear; flat is no growth at all. "
    "What is measured, and how: [benches/README.md](../benches/README.md#curves)."
)


def _part(section: Section) -> Iterator[Section]:
    """`section`, unless it was not measured."""
    if section.lines:
        yield section


def _warnings(document: Document) -> list[str]:
    if not document["plan"]["quick"]:
        return []
    return ["**Taken with `--quick`: everything ran, and the numbers mean nothing.**", ""]


def _scenario_chart(document: Document, scenario: Document) -> dict[str, tuple[str, str]]:
    rows = {
        row["server"]: row for row in document["summary"] if row["scenario"] == scenario["name"]
    }
    bars = [
        Bar(
            server["title"],
            rows[server["name"]]["user_us"],
            rows[server["name"]]["system_us"],
            rows[server["name"]]["cpu_us"],
            server["ours"],
        )
        for server in document["servers"]
        if server["name"] in rows
    ]
    if not bars:
        return {}
    title = _capital(scenario["title"]).replace("`", "")
    return {scenario["name"]: (f"{title}: CPU µs per request", bar_chart(title, bars))}


def _markdown(section: Section, directory: str) -> list[str]:
    lines = [f"{'#' * section.level} {section.title}", ""]
    for name, (title, _) in section.charts.items():
        lines += [f"![{title}]({directory}/{name}.svg)", ""]
    return [*lines, *section.lines, ""]


def _write_charts(directory: Path, charts: dict[str, str]) -> None:
    directory.mkdir(exist_ok=True)
    for stale in directory.glob("*.svg"):
        if stale.stem not in charts:
            stale.unlink()
    for name, svg in charts.items():
        (directory / f"{name}.svg").write_text(svg)


def _capital(title: str) -> str:
    return title[0].upper() + title[1:]
