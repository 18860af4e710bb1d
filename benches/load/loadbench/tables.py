"""Markdown from a run's document."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from loadbench.aims import aims
from loadbench.costs import floor_table, micro_table
from loadbench.growth import growth_tables
from loadbench.markdown import noise as _noise
from loadbench.markdown import table as _table
from loadbench.report import Document

_FLOOR = "responder"
_BASELINES = (("gunicorn-gthread", "x Gunicorn gthread"), ("gunicorn-sync", "x Gunicorn sync"))


def as_markdown(document: Document) -> str:
    """The report of one run: where, with what, the aims, and a table per measurement."""
    lines = [f"# Load, {document['date']}", "", *facts(document)]
    for name, why in document["skipped"].items():
        lines += ["", f"Not measured: {name}: {why}"]
    for failure in document["failures"]:
        lines += ["", f"**Failed**: {failure}"]
    lines += _headed("## Aims", aims_table(document))
    for scenario in document["scenarios"]:
        lines += _headed(f"## {scenario['title']}", scenario_table(document, scenario))
    for title, table in part_tables(document):
        lines += _headed(f"## {title}", table)
    return "\n".join(lines) + "\n"


def facts(document: Document) -> list[str]:
    """Machine, versions, command: one paragraph each."""
    where, plan = document["machine"], document["plan"]
    versions = ", ".join(f"{one['title']} {one['version']}" for one in document["servers"])
    return [
        f"Taken on {document['date']} by `{document['command']}` on tree {where['commit']}: "
        f"{where['cpu']}, {where['cores']} cores, Linux {where['kernel']}, CPython "
        f"{where['python']}; load average at the end {where['load']}. One worker on core "
        f"{plan['server_core']} with {plan['threads']} threads where it has threads, wrk with "
        f"{plan['connections']} connections on core {plan['client_core']}; medians of "
        f"{plan['rounds']} rounds of {plan['seconds']} s, every second round in the opposite "
        "order.",
        "",
        f"Versions: {versions}.",
    ]


def aims_table(document: Document) -> list[str]:
    """Promise, aim, what this run reached."""
    cells = [
        [one.what, one.aim, one.reached, "yes" if one.met else "**no**"] for one in aims(document)
    ]
    return _table(["what", "aim", "reached", "met"], cells, left=4)


def scenario_table(document: Document, scenario: Document) -> list[str]:
    """One scenario: CPU per request first, and only columns that have something to say."""
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
    lines = _table(["server", *(head for head, _ in columns)], cells)
    if "†" in marks:
        lines += ["", "† closes the connection after each response all the same."]
    if "‡" in marks:
        lines += ["", "‡ has no `wsgi.file_wrapper`: the app reads the file block by block."]
    lines += _noise([row["foreign"] for row in mine.values()])
    errors = sum(row["socket_errors"] for row in mine.values())
    if errors:
        lines += ["", f"wrk counted {errors} socket errors in this scenario; see the JSON."]
    return lines


def part_tables(document: Document) -> list[tuple[str, list[str]]]:
    """Everything that is not a scenario under load, with its title; empty ones too."""
    stalled = f"{document['plan']['stalled']:,} clients that stall"
    return [
        ("B against A", _duel_table(document)),
        ("Idle kept-alive connections, hello served meanwhile", _idle_table(document)),
        ("Requests that waited behind a busy worker", _busy_table(document)),
        (stalled, _stalled_table(document)),
        ("Boot and memory", _start_table(document)),
        ("The floor: a responder without Python, and a WSGI call", floor_table(document)),
        *growth_tables(document),
        ("Without Python: Rust benchmarks", micro_table(document)),
    ]


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
    ]


def _times(base: Document) -> Callable[[Document], str]:
    return lambda row: f"{base['cpu_us'] / row['cpu_us']:.1f}"


def _mark(row: Document | None, scenario: Document) -> str:
    if row is None:
        return ""
    closes = "†" if scenario["keep_alive"] and not row["kept_alive"] else ""
    return closes + ("" if row["file_wrapper"] else "‡")


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
    return _table(heads, cells)


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
    noise = [one["foreign_s"] / one["seconds"] for one in document["idle"]]
    return _table(heads, cells) + _noise(noise)


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
    return _table(["server", "connections", "workers", "waited", "longest wait ms"], cells, left=2)


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
    return _table(heads, cells, left=2)


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
    return [said, "", *_table(["server", "boot ms", "min–max", "PSS MiB", "processes"], cells)]


def _ordered(document: Document, part: str, key: str) -> list[Document]:
    """Records of `part` by `key`, in the order of the servers: they were taken in turns."""
    order = [one["name"] for one in document["servers"]]
    keys = list(dict.fromkeys(one[key] for one in document[part]))
    return sorted(
        document[part], key=lambda one: (keys.index(one[key]), order.index(one["server"]))
    )


def _titles(document: Document) -> dict[str, str]:
    return {one["name"]: one["title"] for one in document["servers"]}


def _headed(title: str, lines: list[str]) -> list[str]:
    return ["", title, "", *lines] if lines else []
