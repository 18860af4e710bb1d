"""A run in a few lines: which promises it keeps, where rgunicorn stands, and a table for README."""

from __future__ import annotations

from loadbench.markdown import table
from loadbench.promises import promises
from loadbench.report import Document
from loadbench.standing import standings

_LEVEL = 1.02
_README = ("close", "keepalive", "browser", "large", "upload", "flask", "django", "tls-keepalive")


def digest(document: Document) -> list[str]:
    """How many aims are met and which are not, then a row per class and event."""
    made = promises(document)
    missed = [one for one in made if not one.met]
    lines = [f"{len(made) - len(missed)} of {len(made)} aims are met."] if made else []
    if missed:
        lines += ["Not met:", ""]
        lines += [f"- {one.what}: aim {one.aim}, reached {one.reached}" for one in missed]
    cells = [
        [
            one.event,
            one.kind,
            one.ours,
            one.rival,
            f"{one.mine:,.{one.digits}f} {one.unit}",
            f"{one.best:,.{one.digits}f} {one.unit}",
            _stands(one.mine / one.best),
        ]
        for one in standings(document)
    ]
    if cells:
        heads = ["what", "class", "best of ours", "best other", "ours", "other", "ours is"]
        lines += [
            "",
            "The best of rgunicorn beside the best of the others of its class: of those that call "
            "the application in one thread, or in several. Times in µs are CPU time per request; "
            "*level* is within 2 %.",
            "",
            *table(heads, cells, left=4),
        ]
    return lines


def numbers(document: Document) -> list[str]:
    """CPU time per request of the best configuration of each, for README.md."""
    servers = {one["name"]: one for one in document["servers"]}
    cells = []
    for scenario in document["scenarios"]:
        if scenario["name"] not in _README:
            continue
        costs = {
            row["server"]: row["cpu_us"]
            for row in document["summary"]
            if row["scenario"] == scenario["name"]
        }
        ours = [name for name in costs if servers[name]["ours"]]
        gunicorns = [name for name in costs if name.startswith("gunicorn-")]
        floors = [name for name in costs if servers[name]["floor"]]
        others = [name for name in costs if name not in (*ours, *gunicorns, *floors)]
        if not ours or not gunicorns:
            continue
        cells.append(
            [
                scenario["title"],
                _least(costs, ours),
                _least(costs, gunicorns),
                _least(costs, others, servers),
                _least(costs, floors),
            ]
        )
    heads = ["CPU time per request", "rgunicorn", "Gunicorn", "best other", "without Python"]
    return table(heads, cells)


def _least(
    costs: dict[str, float], names: list[str], servers: dict[str, Document] | None = None
) -> str:
    if not names:
        return ""
    best = min(names, key=costs.__getitem__)
    whose = f" ({servers[best]['title']})" if servers else ""
    return f"{costs[best]:.1f} µs{whose}"


def _stands(ratio: float) -> str:
    if ratio > _LEVEL:
        return f"behind by {ratio - 1:.1%}"
    return "first" if ratio < 1 / _LEVEL else "level"
