"""What `rgunicorn stats` prints: a table, or JSON."""

from __future__ import annotations

import json

from rgunicorn.text import printable
from rgunicorn.top import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_RED, _GREEN, _BOLD, _DIM, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
# States that have a colour.
_COLOURS = {"busy": _GREEN, "booting": _RED}
_HEAD = "SLOT PID STATE REQUESTS REQ/S BUSY QUEUE AVG P50 P99 RSS PSS CPU AGE RESTARTS"
# Columns that are texts: aligned to the left.
_TEXTS = {"STATE", "METHOD", "PATH", "PHASE", "REQUEST", "FROM"}


def as_json(document: Mapping[str, Any]) -> str:
    """The document, indented. There is no NaN in it."""
    return json.dumps(document, indent=2, allow_nan=False)


def as_text(document: Mapping[str, Any], colour: bool = False, width: int | None = None) -> str:
    """The document as tables.

    Args:
        document: see `document.document`.
        colour: with the escapes of a terminal.
        width: columns; longer lines are cut. None: as long as they are.
    """
    server, totals, rates = document["server"], document["totals"], document.get("rates", {})
    lines = [words.title(server), *_totals(server, totals, rates, document.get("interval"))]
    told = [(_paint(line, _RED) if colour else line) for line in words.troubles(server)]
    if colour:
        lines[0] = _paint(lines[0], _BOLD)
    lines += [*told, "", *_table(_workers(document), colour, width)]
    gone = [worker for worker in document["workers"] if worker["state"] == "gone"]
    counted = sum(worker.get("requests", 0) for worker in gone)
    if gone:
        lines.append(
            f"{len(gone)} slots without a worker, which had {words.count(counted)} requests"
        )
    running = [
        (worker["slot"], it) for worker in document["workers"] for it in worker.get("current", [])
    ]
    if running:
        running.sort(key=lambda it: -it[1]["age"])
        lines += ["", *_table(_running(running), colour, width)]
    if any(worker["state"] != "gone" and "current" not in worker for worker in document["workers"]):
        lines += ["", "Some workers do not show the requests that they run."]
    return "\n".join(lines)


def _totals(
    server: Mapping[str, Any],
    totals: Mapping[str, Any],
    rates: Mapping[str, Any],
    interval: float | None,
) -> list[str]:
    workers = f"workers   {server['workers_alive']} of {server['workers_wanted']}"
    if server["workers_ready"] != server["workers_alive"]:
        workers += f", {server['workers_ready']} ready"
    workers += f"; forked {server['spawns']}"
    if ended := words.ends(server):
        workers += f"; ended: {ended}"
    failed = server["reload_failures"]
    lines = [workers, f"reloads   {server['reloads']}" + (f", {failed} failed" if failed else "")]
    if "requests" in totals:
        lines.append(f"requests  {words.count(totals['requests'])}{_classes(totals)}")
    now = []
    if "running" in totals:
        room = f" of {totals['room']}" if "room" in totals else ""
        now.append(f"running {totals['running']}{room}")
    if "queued" in totals:
        now.append(f"queued {totals['queued'] + server['in_transit']}")
    if "connections" in totals:
        open_ = totals["connections"]
        states = ", ".join(f"{name} {n}" for name, n in open_.items() if n)
        now.append(f"connections {sum(open_.values())}" + (f" ({states})" if states else ""))
    if now:
        lines.append(f"now       {', '.join(now)}")
    if events := {name: n for name, n in totals.get("events", {}).items() if n}:
        lines.append("events    " + ", ".join(f"{name} {n}" for name, n in events.items()))
    if "bytes_in" in totals:
        sizes = words.size(totals["bytes_in"]), words.size(totals["bytes_out"])
        lines.append("bytes     in {}, out {}".format(*sizes))
    if times := _times(totals["times"]):
        lines.append(f"times     {times}")
    if interval is not None:
        parts = []
        if "requests" in rates:
            parts.append(f"{words.rate(rates['requests'])} requests/s")
        if "utilisation" in rates:
            parts.append(f"{words.percent(rates['utilisation'])} busy")
        if "cpu" in rates:
            parts.append(f"{words.percent(rates['cpu'])} CPU")
        if times := _times(rates["times"]):
            parts.append(times)
        if parts:
            lines.append(f"last {interval:.3g} s".ljust(9) + " " + ", ".join(parts))
    return lines


def _classes(totals: Mapping[str, Any]) -> str:
    counts = [f"{name} {words.count(n)}" for name, n in totals.get("responses", {}).items() if n]
    return f" ({', '.join(counts)})" if counts else ""


def _times(times: Mapping[str, Any]) -> str:
    parts = []
    for name in ("queue", "app", "whole"):
        if (it := times.get(name)) and it["count"]:
            p50, p99 = words.duration(it["p50"]), words.duration(it["p99"])
            parts.append(f"{name} avg {words.duration(it['mean'])} p50 {p50} p99 {p99}")
    return "; ".join(parts)


def _workers(document: Mapping[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [_HEAD.split()]
    for worker in document["workers"]:
        if worker["state"] == "gone":
            continue
        rates = worker.get("rates", {})
        app = rates.get("times", worker["times"]).get("app", {})
        busy = str(worker.get("running", "-"))
        rows.append(
            [
                str(worker["slot"]),
                str(worker.get("pid", "-")),
                words.state(worker),
                words.count(worker.get("requests")),
                words.rate(rates.get("requests")),
                f"{busy}/{worker['room']}" if "room" in worker else busy,
                str(worker.get("queued", "-")),
                *(words.duration(app.get(name)) for name in ("mean", "p50", "p99")),
                words.size(worker.get("rss")),
                words.size(worker.get("pss")),
                words.percent(rates.get("cpu")),
                words.since(worker.get("age")),
                str(worker["restarts"]),
            ]
        )
    # A column that nobody can fill says nothing.
    kept = [n for n, name in enumerate(rows[0]) if n < 3 or any(row[n] != "-" for row in rows[1:])]
    return [[row[n] for n in kept] for row in rows]


def _running(running: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [["SLOT", "AGE", "PHASE", "FROM", "REQUEST"]]
    for slot, it in running:
        peer = printable(it.get("peer", "-"))
        rows.append(
            [str(slot), words.duration(it["age"]), words.phase(it), peer, words.request(it)]
        )
    return rows


def _table(rows: list[Sequence[str]], colour: bool, width: int | None) -> list[str]:
    head = rows[0]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(widths[n]) if head[n] in _TEXTS else cell.rjust(widths[n])
            for n, cell in enumerate(row)
        ]
        line = "  ".join(cells).rstrip()
        if width is not None and len(line) > width:
            line = line[: max(1, width - 1)] + "…"
        if colour and number == 0:
            line = _paint(line, _DIM)
        elif colour and "STATE" in head:
            cell = cells[list(head).index("STATE")]
            if paint := _COLOURS.get(cell.split()[0] if cell.split() else ""):
                line = line.replace(cell.rstrip(), _paint(cell.rstrip(), paint), 1)
        lines.append(line)
    return lines


def _paint(text: str, paint: str) -> str:
    return f"{paint}{text}{_OFF}"
