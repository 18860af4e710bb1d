"""A table per part of a run that is not a scenario under load."""

from __future__ import annotations

from statistics import median

from loadbench.absence import absent
from loadbench.costs import floor_table, micro_table
from loadbench.markdown import noise, table
from loadbench.report import Document


def part_tables(document: Document) -> list[tuple[str, list[str]]]:
    """Everything that is not a scenario under load, with its title; empty ones too."""
    stalled = f"{document['plan']['stalled']:,} clients that stall"
    dribble = "An honest client among those that send their heads byte by byte"
    parts = [
        ("B against A", "", _duel_table),
        ("Idle kept-alive connections, hello served meanwhile", "idle", _idle_table),
        ("Requests that waited behind a busy worker", "busy", _busy_table),
        (stalled, "stalled", _stalled_table),
        (dribble, "dribble", _dribble_table),
        ("Reload under load", "reload", _reload_table),
        ("Boot and memory", "boot", _start_table),
        ("Memory with and without preload (Django)", "preload", _preload_table),
        ("The floor: a responder without Python, and a WSGI call", "", floor_table),
        ("Without Python: Rust benchmarks", "", micro_table),
    ]
    return [
        (title, lines + absent(document, event) if (lines := made(document)) else [])
        for title, event, made in parts
    ]


def _duel_table(document: Document) -> list[str]:
    titles = {one["name"]: one["title"] for one in document["scenarios"]}
    cells = [
        [
            titles[one["scenario"]],
            str(one["rounds"]),
            f"{one['cpu_ratio']:.3f}",
            f"{one['cpu_ratio_min']:.3f}–{one['cpu_ratio_max']:.3f}",
            f"{one['rate_ratio']:.3f}",
            f"{one['rate_ratio_min']:.3f}–{one['rate_ratio_max']:.3f}",
        ]
        for one in document["duels"]
    ]
    heads = ["B / A, same round", "rounds", "CPU per request", "min–max", "requests/s", "min–max"]
    return table(heads, cells)


def _idle_table(document: Document) -> list[str]:
    titles = _titles(document)
    cells = [
        [
            titles[one["server"]],
            f"{one['connections']:,}",
            f"{one['held']:,}",
            f"{one['pss_bytes'] / one['connections']:,.0f}",
            f"{one['answered']:,}",
            f"{one['requests']:,}",
            f"{one['socket_errors']}",
            f"{one['cpu_us']:.2f}",
            f"{one['requests'] / one['seconds']:,.0f}",
            f"{one['p99_ms']:.2f}",
        ]
        for one in _ordered(document, "idle", "connections")
    ]
    heads = ["server", "idle", "held", "PSS bytes each", "of them answered after", "hello requests"]
    heads += ["errors", "CPU µs/req", "req/s", "p99 ms"]
    foreign = [one["foreign_s"] / one["seconds"] for one in document["idle"]]
    return table(heads, cells) + noise(foreign)


def _busy_table(document: Document) -> list[str]:
    titles = _titles(document)
    cells = [
        [
            titles[one["server"]],
            "kept alive" if one["kept_alive"] else "new",
            f"{one['workers']} x 1",
            f"{one['waited']} of {one['requests']}",
            f"{one['most_ms']:,.0f}",
        ]
        for one in _ordered(document, "busy", "kept_alive")
    ]
    return table(["server", "connections", "workers", "waited", "longest wait ms"], cells, left=2)


def _stalled_table(document: Document) -> list[str]:
    titles = _titles(document)
    kinds = {
        "head": "in the head",
        "body": "in the body",
        "reader-512K": "reading no answer of 512 KiB",
        "reader-2M": "reading no answer of 2 MiB",
    }
    cells = [
        [
            titles[one["server"]],
            kinds[one["kind"]],
            f"{one['held']:,}",
            f"{one['pss_bytes'] / one['held'] / 1024:,.1f}" if one["held"] > 0 else "",
            "yes" if one["honest"] else "no",
        ]
        for one in _ordered(document, "stalled", "kind")
    ]
    heads = ["server", "stalled", "held", "PSS KiB each", "honest client served within 3 s"]
    return table(heads, cells, left=2)


def _dribble_table(document: Document) -> list[str]:
    titles = _titles(document)
    cells = []
    for one in document["dribble"]:
        alone, among = one["alone_p99_ms"], one["among_p99_ms"]
        served = among is not None
        cells.append(
            [
                titles[one["server"]],
                f"{one['clients']:,}",
                f"{one['alone_p50_ms']:.3f}",
                f"{one['among_p50_ms']:.3f}" if served else "not served",
                f"{alone:.3f}",
                f"{among:.3f}" if served else "not served",
                f"{among / alone:.2f}" if served else "",
                f"{one['dropped']}",
            ]
        )
    heads = ["server", "slow clients", "p50 ms alone", "p50 ms among them", "p99 ms alone"]
    return table([*heads, "p99 ms among them", "x alone", "slow ones dropped"], cells)


def _reload_table(document: Document) -> list[str]:
    titles = _titles(document)
    cells = []
    for one in document["reload"]:
        failed = [
            f"{manner}: {what} {count}"
            for manner in ("kept", "closing")
            for what, count in one[f"{manner}_failed"].items()
        ]
        cells.append(
            [
                titles[one["server"]],
                "; ".join(failed) or "none",
                f"{one['reloads']}",
                f"{one['seconds'] / one['reloads']:.2f}",
                f"{one['kept_requests'] + one['closing_requests']:,}",
                f"{one['failed']}",
            ]
        )
    heads = ["server", "what failed", "reloads", "s each", "requests", "failed requests"]
    return table(heads, cells, left=2)


def _preload_table(document: Document) -> list[str]:
    cells = []
    for server in document["servers"]:
        used = {
            one["preload"]: one["bytes"] / 2**20
            for one in document["preload"]
            if one["server"] == server["name"]
        }
        if used:
            row = [f"{used[key]:.1f}" if key in used else "" for key in (False, True)]
            cells.append([server["title"], *row])
    said = "PSS in MiB of master and 4 workers after requests."
    lines = table(["server", "imported after the fork", "imported before it"], cells)
    return [said, "", *lines] if lines else []


def _start_table(document: Document) -> list[str]:
    memory = {one["server"]: one for one in document["memory"]}
    boot_seconds = document["boot_seconds"]
    cells = []
    for server in document["servers"]:
        name = server["name"]
        if name not in boot_seconds and name not in memory:
            continue
        boots = [one * 1e3 for one in boot_seconds.get(name, [])]
        used = memory.get(name)
        cells.append(
            [
                server["title"],
                f"{median(boots):.0f}" if boots else "",
                f"{min(boots):.0f}–{max(boots):.0f}" if boots else "",
                f"{used['bytes'] / 2**20:.1f}" if used else "",
                f"{used['processes']}" if used else "",
            ]
        )
    if not cells:
        return []
    said = (
        f"Boot: start to first response, one worker, median of {document['plan']['starts']} "
        "starts. Memory: PSS of master and 4 workers after requests."
    )
    return [said, "", *table(["server", "boot ms", "min–max", "PSS MiB", "processes"], cells)]


def _ordered(document: Document, part: str, key: str) -> list[Document]:
    """Records of `part` by `key`, in the order of the servers: they were taken in turns."""
    order = [one["name"] for one in document["servers"]]
    keys = list(dict.fromkeys(one[key] for one in document[part]))
    return sorted(
        document[part], key=lambda one: (keys.index(one[key]), order.index(one["server"]))
    )


def _titles(document: Document) -> dict[str, str]:
    return {one["name"]: one["title"] for one in document["servers"]}
