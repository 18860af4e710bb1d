"""What parts of a request cost by themselves: Rust without Python, CPython without a server."""

from __future__ import annotations

from loadbench.markdown import code, table
from loadbench.report import Document

_FLOOR, _FLOOR_WITH_CALL = "responder", "responder-wsgi"
# What measure.py calls a request, and the scenario of that request.
_CALLS = {"hello": "keepalive", "browser": "browser"}


def micro_table(document: Document) -> list[str]:
    """Time and allocations of one iteration of each Rust benchmark."""
    cells = [
        [
            code(one["bench"]),
            code(one["name"]),
            _time(one["median_ns"]),
            f"{_time(one['fastest_ns'])}–{_time(one['slowest_ns'])}",
            "" if one["allocations"] is None else f"{one['allocations']:g}",
        ]
        for one in document["micro"]
    ]
    heads = ["benchmark", "of", "median", "fastest–slowest", "allocations"]
    return table(heads, cells, left=2)


def floor_table(document: Document) -> list[str]:
    """CPU per request of the responder, plus that of the call, beside ours."""
    rows = {(row["scenario"], row["server"]): row for row in document["summary"]}
    titles = {one["name"]: one["title"] for one in document["scenarios"]}
    cells = []
    for request, call in document["wsgi_call_us"].items():
        scenario = _CALLS[request]
        floor = rows.get((scenario, _FLOOR))
        ours = [
            (server["title"], rows[scenario, server["name"]]["cpu_us"])
            for server in document["servers"]
            if server["ours"] and (scenario, server["name"]) in rows
        ]
        if floor is None or not ours:
            cells.append([titles.get(scenario, request), "", f"{call:.2f}", *[""] * 6])
            continue
        least = floor["cpu_us"] + call
        together = rows.get((scenario, _FLOOR_WITH_CALL))
        title, cost = min(ours, key=lambda one: one[1])
        cells.append(
            [
                titles[scenario],
                f"{floor['cpu_us']:.2f}",
                f"{call:.2f}",
                f"{least:.2f}",
                f"{together['cpu_us']:.2f}" if together else "",
                title,
                f"{cost:.2f}",
                f"{cost / least:.2f}",
                f"{cost / together['cpu_us']:.2f}" if together else "",
            ]
        )
    heads = [
        "request",
        "responder µs",
        "+ WSGI call µs",
        "= floor",
        "both in one process µs",
        "ours",
        "CPU µs/req",
        "x floor",
        "x both in one process",
    ]
    return table(heads, cells)


def _time(nanoseconds: float) -> str:
    if nanoseconds < 1e3:
        return f"{nanoseconds:.1f} ns"
    return f"{nanoseconds / 1e3:.2f} µs" if nanoseconds < 1e6 else f"{nanoseconds / 1e6:.2f} ms"
