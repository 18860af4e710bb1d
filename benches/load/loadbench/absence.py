"""Who is not in a table, and why."""

from __future__ import annotations

from loadbench.report import Document


def absent(document: Document, event: str) -> list[str]:
    """A line below the table of the scenario or part `event`; the floor is not missed anywhere."""
    servers = {one["name"]: one for one in document["servers"]}
    whys: dict[str, list[str]] = {}
    for one in document["absent"]:
        server = servers[one["server"]]
        if one["event"] == event and not server["floor"]:
            whys.setdefault(one["why"], []).append(server["title"])
    if not whys:
        return []
    said = "; ".join(f"{', '.join(titles)} ({why})" for why, titles in whys.items())
    return ["", f"Not in it: {said}."]
