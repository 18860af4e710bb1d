"""Tables of slow clients, reloads and preloading; who took no part in what."""

from __future__ import annotations

from loadbench.markdown import table
from loadbench.report import Document


def trial_tables(document: Document) -> list[tuple[str, list[str]]]:
    """Each with its title; empty where nothing was measured."""
    clients = max((one["clients"] for one in document["dribble"]), default=0)
    reloads = max((one["reloads"] for one in document["reload"]), default=0)
    return [
        (f"An honest client among {clients} that dribble", _dribble_table(document)),
        (f"Requests that fail during {reloads} reloads", _reload_table(document)),
        ("Memory with and without preload: Django, 4 workers", _preload_table(document)),
    ]


def absent_lines(document: Document, event: str) -> list[str]:
    """Who is not in the table of a scenario or part, and why; a paragraph, or nothing."""
    titles = {one["name"]: one["title"] for one in document["servers"]}
    by_reason: dict[str, list[str]] = {}
    for one in document["absent"]:
        if one["event"] == event:
            by_reason.setdefault(one["why"], []).append(titles[one["server"]])
    if not by_reason:
        return []
    said = (f"{', '.join(names)} ({why})" for why, names in by_reason.items())
    return ["", f"Not here: {'; '.join(said)}."]


def _dribble_table(document: Document) -> list[str]:
    cells = []
    for one in _ordered(document, "dribble"):
        alone, among = one["alone_p99_ms"], one["among_p99_ms"]
        cells.append(
            [
                one["title"],
                f"{one['alone_p50_ms']:.3f}",
                f"{alone:.3f}",
                "not served" if among is None else f"{one['among_p50_ms']:.3f}",
                "not served" if among is None else f"{among:.3f}",
                "" if among is None else f"{among / alone:.2f}",
                f"{one['alone_requests']:,}",
                f"{one['among_requests']:,}",
                f"{one['dropped']:,}",
            ]
        )
    heads = ["server", "alone p50 ms", "p99 ms", "among p50 ms", "p99 ms", "p99 ratio"]
    heads += ["requests alone", "among", "slow ones dropped"]
    lines = table(heads, cells)
    return lines + absent_lines(document, "dribble") if lines else []


def _reload_table(document: Document) -> list[str]:
    cells = [
        [
            one["title"],
            f"{one['seconds'] / one['reloads']:.1f}",
            f"{one['kept_requests']:,}",
            f"{one['closing_requests']:,}",
            f"{one['failed']:,}",
            _failures("kept", one["kept_failed"]) + _failures("closing", one["closing_failed"]),
        ]
        for one in _ordered(document, "reload")
    ]
    heads = ["server", "s per reload", "requests kept alive", "closing", "failed", "how"]
    lines = table(heads, cells)
    return lines + absent_lines(document, "reload") if lines else []


def _failures(manner: str, failed: dict[str, int]) -> str:
    return "".join(f"{number} {manner}: {what}. " for what, number in failed.items())


def _preload_table(document: Document) -> list[str]:
    used: dict[str, dict[bool, Document]] = {}
    for one in _ordered(document, "preload"):
        used.setdefault(one["title"], {})[one["preload"]] = one
    cells = [
        [
            title,
            *(f"{by[how]['bytes'] / 2**20:.1f}" if how in by else "" for how in (False, True)),
            f"{next(iter(by.values()))['processes']}",
        ]
        for title, by in used.items()
    ]
    heads = ["server", "PSS MiB without", "PSS MiB with", "processes"]
    lines = table(heads, cells)
    return lines + absent_lines(document, "preload") if lines else []


def _ordered(document: Document, part: str) -> list[Document]:
    """Records of `part` in the order of the servers, each with its server's title."""
    titles = {one["name"]: one["title"] for one in document["servers"]}
    order = list(titles)
    found = [one | {"title": titles[one["server"]]} for one in document[part]]
    return sorted(found, key=lambda one: order.index(one["server"]))
