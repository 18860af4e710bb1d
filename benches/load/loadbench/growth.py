"""The curves of a run's document: a table and charts of each."""

from __future__ import annotations

from loadbench.charts.lines import Axis, Line, line_chart
from loadbench.curves.point import CURVES, Curve
from loadbench.markdown import table
from loadbench.report import Document

_CPU, _PEAK = "CPU µs per request", "peak memory (RSS) of the worker, MiB"


def growth_tables(document: Document) -> list[tuple[str, list[str]]]:
    """One per curve, with its title; empty ones too."""
    return [(f"Growth: {curve.title}", growth_table(document, curve)) for curve in CURVES]


def growth_table(document: Document, curve: Curve) -> list[str]:
    """A row per server; cells have the CPU per request, and the peak of memory where known."""
    points = _points(document, curve)
    places = sorted({point["x"] for point in points})
    cells = []
    for server in document["servers"]:
        mine = {one["x"]: one for one in points if one["server"] == server["name"]}
        if mine:
            row = [_cell(mine[place]) if place in mine else "" for place in places]
            cells.append([server["title"], *row])
    has_peak = any(point["peak_bytes"] for point in points)
    said = f"{_CPU}{', and ' + _PEAK if has_peak else ''}, by {curve.x}:"
    lines = table(["server", *(_place(curve, place) for place in places)], cells)
    return [said, "", *lines] if lines else []


def growth_charts(document: Document, curve: Curve) -> dict[str, tuple[str, str]]:
    """Title and SVG by the name of the file: CPU, and memory where it was looked at."""
    points = _points(document, curve)
    charts = {}
    for key, name, title in (
        ("cpu_us", f"growth-{curve.name}", _CPU),
        ("peak_bytes", f"growth-{curve.name}-memory", _PEAK),
    ):
        lines = [
            Line(server["title"], found, server["ours"])
            for server in document["servers"]
            if (found := _line(points, server["name"], key))
        ]
        if lines:
            x = Axis(curve.x, lambda value: _place(curve, int(value)))
            heading = f"{curve.title[0].upper()}{curve.title[1:]}".replace("`", "")
            svg = line_chart(heading, x, Axis(title, _number), lines)
            charts[name] = (f"{heading}: {title}", svg)
    return charts


def _points(document: Document, curve: Curve) -> list[Document]:
    return [point for point in document["curves"] if point["curve"] == curve.name]


def _line(points: list[Document], server: str, key: str) -> list[tuple[float, float]]:
    unit = 2**20 if key == "peak_bytes" else 1
    # A cost below the kernel's clock tick has no place on a logarithmic axis.
    return [
        (point["x"], point[key] / unit)
        for point in points
        if point["server"] == server and point[key]
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cell(point: Document) -> str:
    cost = point["cpu_us"]
    said = f"{cost:,.2f}" if cost < 100 else f"{cost:,.0f}"
    peak = point["peak_bytes"]
    return f"{said}; {peak / 2**20:,.0f} MiB" if peak else said


def _place(curve: Curve, value: int) -> str:
    if not curve.is_bytes:
        return f"{value:,}"
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value} B"
