"""A run in a few lines: where rgunicorn stands, and which promises it keeps."""

from __future__ import annotations

from loadbench.aims import aims
from loadbench.markdown import table
from loadbench.report import Document

_LEVEL = 1.02
_GUNICORNS = ("gunicorn-gthread", "gunicorn-sync")


def digest(document: Document) -> list[str]:
    """How many aims are met and which are not, then a row per scenario."""
    promises = aims(document)
    missed = [one for one in promises if not one.met]
    lines = [f"{len(promises) - len(missed)} of {len(promises)} aims are met."] if promises else []
    if missed:
        lines += ["Not met:", ""]
        lines += [f"- {one.what}: aim {one.aim}, reached {one.reached}" for one in missed]
    standings = _standings(document)
    if standings:
        lines += [
            "",
            "CPU µs per request of the cheapest rgunicorn and of the cheapest other server, "
            "whatever its class; *level* is within 2 %.",
            "",
            *standings,
        ]
    return lines


def _standings(document: Document) -> list[str]:
    servers = {one["name"]: one for one in document["servers"]}
    cells = []
    for scenario in document["scenarios"]:
        rows = {
            row["server"]: row["cpu_us"]
            for row in document["summary"]
            if row["scenario"] == scenario["name"] and not servers[row["server"]]["floor"]
        }
        ours = [name for name in rows if servers[name]["ours"]]
        others = [name for name in rows if not servers[name]["ours"]]
        if not ours or not others:
            continue
        best, rival = min(ours, key=rows.__getitem__), min(others, key=rows.__getitem__)
        gunicorns = [rows[name] for name in _GUNICORNS if name in rows]
        times = f"{min(gunicorns) / rows[best]:.1f}" if gunicorns else ""
        cells.append(
            [
                scenario["title"],
                servers[best]["title"],
                servers[rival]["title"],
                f"{rows[best]:.2f}",
                f"{rows[rival]:.2f}",
                _stands(rows[best] / rows[rival]),
                times,
            ]
        )
    heads = ["scenario", "cheapest of ours", "cheapest other", "ours", "other", "ours is"]
    return table([*heads, "Gunicorn / ours"], cells, left=3)


def _stands(ratio: float) -> str:
    if ratio > _LEVEL:
        return f"behind by {ratio - 1:.0%}"
    return "first" if ratio < 1 / _LEVEL else "level"
