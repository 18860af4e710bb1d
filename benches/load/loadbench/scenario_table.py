"""One scenario as a table: CPU per request first."""

from __future__ import annotations

from collections.abc import Callable

from loadbench.absence import absent
from loadbench.markdown import noise, table
from loadbench.report import Document

_FLOOR = "responder"
_BASELINES = (("gunicorn-gthread", "x Gunicorn gthread"), ("gunicorn-sync", "x Gunicorn sync"))


def scenario_table(document: Document, scenario: Document) -> list[str]:
    """Only columns that have something to say."""
    mine = {
        row["server"]: row for row in document["summary"] if row["scenario"] == scenario["name"]
    }
    calls = {
        one["server"]: one["per_request"]
        for one in document["syscalls"]
        if one["scenario"] == scenario["name"]
    }
    columns = _columns(mine, calls, scenario)
    cells = []
    marks = ""
    for server in document["servers"]:
        name = server["name"]
        if name not in mine and name not in calls:
            continue
        row = mine.get(name)
        mark = _mark(row, scenario)
        marks += mark
        title = f"{server['title']} {mark}".strip()
        cells.append([title, *(show(name, row) for _, show in columns)])
    lines = table(["server", *(head for head, _ in columns)], cells)
    if "†" in marks:
        lines += ["", "† closes the connection after each response all the same."]
    if "‡" in marks:
        lines += ["", "‡ has no `wsgi.file_wrapper`: the app reads the file block by block."]
    lines += absent(document, scenario["name"]) if lines else []
    lines += noise([row["foreign"] for row in mine.values()])
    errors = sum(row["socket_errors"] for row in mine.values())
    if errors:
        lines += ["", f"wrk counted {errors} socket errors in this scenario; see the JSON."]
    return lines


def _columns(
    mine: dict[str, Document], calls: dict[str, float], scenario: Document
) -> list[tuple[str, Callable[[str, Document | None], str]]]:
    def of(form: Callable[[Document], str]) -> Callable[[str, Document | None], str]:
        return lambda _name, row: form(row) if row else ""

    columns = [
        ("CPU µs/req", of(lambda row: f"{row['cpu_us']:.2f}")),
        ("user", of(lambda row: f"{row['user_us']:.2f}")),
        ("system", of(lambda row: f"{row['system_us']:.2f}")),
        ("min–max", of(lambda row: f"{row['cpu_us_min']:.2f}–{row['cpu_us_max']:.2f}")),
        ("req/CPU s", of(lambda row: f"{row['requests_per_cpu_s']:,.0f}")),
    ]
    for name, head in _BASELINES:
        if name in mine:
            columns.append((head, of(_times(mine[name]))))
    if _FLOOR in mine:
        floor = mine[_FLOOR]["cpu_us"]
        columns.append(("x floor", of(lambda row: f"{row['cpu_us'] / floor:.2f}")))
    if calls:
        columns.append(
            ("syscalls/req", lambda name, _row: f"{calls[name]:.2f}" if name in calls else "")
        )
    columns.append(("req/s", of(lambda row: f"{row['requests_per_s']:,.0f}")))
    limit = scenario["limit"]
    if limit:
        columns.append((f"of {limit:,}", of(lambda row: f"{row['requests_per_s'] / limit:.1%}")))
    return [
        *columns,
        ("core busy", of(lambda row: f"{row['busy']:.0%}")),
        ("p50 ms", of(lambda row: f"{row['p50_ms']:.2f}")),
        ("p99 ms", of(lambda row: f"{row['p99_ms']:.2f}")),
        ("PSS MiB", of(lambda row: f"{row['pss_bytes'] / 2**20:.1f}")),
    ]


def _times(base: Document) -> Callable[[Document], str]:
    return lambda row: f"{base['cpu_us'] / row['cpu_us']:.1f}"


def _mark(row: Document | None, scenario: Document) -> str:
    if row is None:
        return ""
    closes = "†" if scenario["keep_alive"] and not row["kept_alive"] else ""
    return closes + ("" if row["file_wrapper"] else "‡")
