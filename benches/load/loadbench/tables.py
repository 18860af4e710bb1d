"""Markdown from a run's document."""

from __future__ import annotations

from loadbench.growth import growth_tables
from loadbench.markdown import table
from loadbench.part_tables import part_tables
from loadbench.promises import promises
from loadbench.report import Document
from loadbench.scenario_table import scenario_table


def as_markdown(document: Document) -> str:
    """The report of one run: where, with what, the aims, and a table per measurement."""
    lines = [f"# Load, {document['date']}", "", *facts(document), *missing(document)]
    lines += _headed("## Aims", aims_table(document))
    for scenario in document["scenarios"]:
        lines += _headed(f"## {scenario['title']}", scenario_table(document, scenario))
    for title, found in (*part_tables(document), *growth_tables(document)):
        lines += _headed(f"## {title}", found)
    return "\n".join(lines) + "\n"


def facts(document: Document) -> list[str]:
    """Machine, versions, command: one paragraph each."""
    where, plan = document["machine"], document["plan"]
    versions = ", ".join(f"{one['title']} {one['version']}" for one in document["servers"])
    return [
        f"Taken on {document['date']} by `{document['command']}` on tree {where['commit']}: "
        f"{where['cpu']}, {where['cores']} cores, Linux {where['kernel']}, CPython "
        f"{where['python']}; load average at the end {where['load']}. One worker on core "
        f"{plan['server_core']} with {plan['threads']} threads where it has threads, wrk with "
        f"{plan['connections']} connections on core {plan['client_core']}; medians of "
        f"{plan['rounds']} rounds of {plan['seconds']} s, every second round in the opposite "
        "order.",
        "",
        f"Versions: {versions}.",
    ]


def missing(document: Document) -> list[str]:
    """Servers that could not be built here, and measurements that failed."""
    lines = []
    for name, why in document["skipped"].items():
        lines += ["", f"Not measured: {name}: {why}"]
    for failure in document["failures"]:
        lines += ["", f"**Failed**: {failure}"]
    return lines


def aims_table(document: Document) -> list[str]:
    """Promise, aim, what this run reached."""
    cells = [
        [one.what, one.aim, one.reached, "yes" if one.met else "**no**"]
        for one in promises(document)
    ]
    return table(["what", "aim", "reached", "met"], cells, left=4)


def _headed(title: str, lines: list[str]) -> list[str]:
    return ["", title, "", *lines] if lines else []
