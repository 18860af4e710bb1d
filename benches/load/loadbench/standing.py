"""Where rgunicorn stands among the servers of its class, in everything that has a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from loadbench.report import Document

_KINDS = {False: "one thread", True: "threads"}


@dataclass(frozen=True)
class Standing:
    """The best of ours beside the best of the others: less is better."""

    event: str
    """Title of the scenario or part."""
    kind: str
    """Whose application is called in one thread, or in several."""
    ours: str
    mine: float
    rival: str
    best: float
    unit: str
    digits: int


def standings(document: Document) -> list[Standing]:
    """One per class and event in which there are both of ours and others."""
    servers = {one["name"]: one for one in document["servers"] if not one["floor"]}
    found = []
    for event, figures, unit, digits in _events(document):
        for threads, kind in _KINDS.items():
            mine, theirs = (
                {
                    name: figure
                    for name, figure in figures.items()
                    if name in servers
                    and servers[name]["ours"] == is_ours
                    and servers[name]["threads"] == threads
                }
                for is_ours in (True, False)
            )
            if not mine or not theirs:
                continue
            ours, rival = min(mine, key=mine.__getitem__), min(theirs, key=theirs.__getitem__)
            titles = servers[ours]["title"], servers[rival]["title"]
            found.append(
                Standing(event, kind, titles[0], mine[ours], titles[1], theirs[rival], unit, digits)
            )
    return found


def _events(document: Document) -> Iterator[tuple[str, dict[str, float], str, int]]:
    """Title, figure by server, its unit and digits."""
    for scenario in document["scenarios"]:
        rows = [row for row in document["summary"] if row["scenario"] == scenario["name"]]
        yield scenario["title"], {row["server"]: row["cpu_us"] for row in rows}, "µs", 2
    for connections in dict.fromkeys(one["connections"] for one in document["idle"]):
        costs = {
            one["server"]: one["cpu_us"]
            for one in document["idle"]
            if one["connections"] == connections
        }
        yield f"hello beside {connections:,} idle connections", costs, "µs", 2
    boots = {name: median(times) * 1e3 for name, times in document["boot_seconds"].items() if times}
    yield "boot to first response", boots, "ms", 0
    memory = {one["server"]: one["bytes"] / 2**20 for one in document["memory"]}
    yield "memory of master and 4 workers, hello", memory, "MiB", 1
    for preload in (False, True):
        used = {
            one["server"]: one["bytes"] / 2**20
            for one in document.get("preload", [])
            if one["preload"] is preload
        }
        how = "with preload" if preload else "without preload"
        yield f"memory of master and 4 workers, Django, {how}", used, "MiB", 1
