"""The lines of `rgunicorn top`: one a worker, in the order somebody wants. Knows no terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rgunicorn.text import printable
from rgunicorn.top import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Worker = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: what stands there, and what it is sorted by (None: nobody tells)."""

    title: str
    width: int
    text: Callable[[Worker], str]
    key: Callable[[Worker], Any]
    down: bool = True
    """The largest first."""
    wide: bool = False
    """Only where there is room for it."""


def _rates(worker: Worker) -> Mapping[str, Any]:
    found: Mapping[str, Any] = worker.get("rates", {})
    return found


def _p99(worker: Worker) -> float | None:
    found: float | None = _rates(worker).get("times", {}).get("app", {}).get("p99")
    return found


def _busy(worker: Worker) -> str:
    if "running" not in worker:
        return "-"
    return f"{worker['running']}/{worker['room']}" if "room" in worker else str(worker["running"])


def _age(worker: Worker) -> float | None:
    current = worker.get("current")
    return max(it["age"] for it in current) if current else None


def oldest(worker: Worker) -> str:
    """The request that has run for longest: its age, method and path, and how many more."""
    current = worker.get("current")
    if current is None:
        return "?" if worker["state"] != "gone" else ""
    if not current:
        return ""
    first = max(current, key=lambda it: it["age"])
    more = f" (+{len(current) - 1})" if len(current) > 1 else ""
    return f"{words.duration(first['age'])} {words.request(first)}{more}"


COLUMNS = (
    Column("SLOT", 5, lambda it: str(it["slot"]), lambda it: it["slot"], down=False),
    Column("PID", 8, lambda it: str(it.get("pid", "-")), lambda it: it.get("pid"), down=False),
    Column("STATE", 8, lambda it: it["state"], lambda it: it["state"], down=False),
    Column(
        "REQ/S",
        7,
        lambda it: words.rate(_rates(it).get("requests")),
        lambda it: _rates(it).get("requests"),
    ),
    Column("BUSY", 6, _busy, lambda it: it.get("running")),
    Column("QUEUE", 6, lambda it: str(it.get("queued", "-")), lambda it: it.get("queued")),
    Column("P99", 7, lambda it: words.duration(_p99(it)), _p99),
    Column(
        "CPU",
        5,
        lambda it: words.percent(_rates(it).get("cpu")),
        lambda it: _rates(it).get("cpu"),
    ),
    Column("RSS", 7, lambda it: words.size(it.get("rss")), lambda it: it.get("rss")),
    Column("AGE", 9, lambda it: words.since(it.get("age")), lambda it: it.get("age"), wide=True),
    Column(
        "REQUESTS",
        11,
        lambda it: words.count(it.get("requests")),
        lambda it: it.get("requests"),
        wide=True,
    ),
    Column("REQUEST", 0, oldest, _age),
)
# Columns of a terminal from which there is room for all.
WIDE = 110


def columns(width: int) -> tuple[Column, ...]:
    """Those for which a terminal of that width has room."""
    return tuple(column for column in COLUMNS if width >= WIDE or not column.wide)


def ordered(workers: list[Worker], column: Column, reverse: bool = False) -> list[Worker]:
    """The workers that live, by a column; those of which nobody tells come last, and equal ones by
    their slot.

    Args:
        workers: of a document.
        column: what to sort by.
        reverse: the other way round.
    """
    living = sorted((it for it in workers if it["state"] != "gone"), key=lambda it: it["slot"])
    told = [it for it in living if column.key(it) is not None]
    told.sort(key=column.key, reverse=column.down != reverse)
    return told + [it for it in living if column.key(it) is None]


def counters(document: Mapping[str, Any]) -> list[str]:
    """What there is to know of the server, besides its graphs; three lines."""
    server, totals = document["server"], document["totals"]
    rates = document.get("rates", {})
    first = [f"workers {server['workers_alive']}/{server['workers_wanted']}"]
    if "utilisation" in rates:
        first.append(f"utilisation {words.percent(rates['utilisation'])}")
    if "running" in totals:
        room = f"/{totals['room']}" if "room" in totals else ""
        first.append(f"running {totals['running']}{room}")
    if "queued" in totals or server["in_transit"]:
        first.append(f"queue {totals.get('queued', 0) + server['in_transit']}")
    if "cpu" in rates:
        first.append(f"CPU {words.percent(rates['cpu'])}")
    second = []
    if "requests" in totals:
        second.append(f"requests {words.count(totals['requests'])}")
    if "responses" in rates:
        second.append(f"4xx/s {words.rate(rates['responses'].get('4xx', 0))}")
        second.append(f"5xx/s {words.rate(rates['responses'].get('5xx', 0))}")
    if "bytes_in" in rates:
        second.append(
            f"in {words.size(rates['bytes_in'])}/s out {words.size(rates['bytes_out'])}/s"
        )
    if "connections" in totals:
        open_ = totals["connections"]
        states = " ".join(f"{name} {n}" for name, n in open_.items() if n)
        second.append(f"connections {sum(open_.values())}" + (f" ({states})" if states else ""))
    third = [f"reloads {server['reloads']}"]
    if server["reload_failures"]:
        third.append(f"failed {server['reload_failures']}")
    if ended := words.ends(server):
        third.append(f"ended: {ended}")
    return ["  ".join(part) for part in (first, second, third)]


def details(worker: Worker) -> list[str]:
    """What there is to know of one worker."""
    rates = _rates(worker)
    first = [f"slot {worker['slot']}", f"pid {worker.get('pid', '-')}", words.state(worker)]
    if "age" in worker:
        first.append(f"up {words.since(worker['age'])}")
    if "boot_time" in worker:
        first.append(f"booted in {words.duration(worker['boot_time'])}")
    first.append(f"restarts {worker['restarts']}")
    second = [f"busy {_busy(worker)}"]
    if "utilisation" in rates:
        second.append(f"utilisation {words.percent(rates['utilisation'])}")
    if "queued" in worker:
        second.append(f"queue {worker['queued']}")
    for name, what in (("rss", "RSS"), ("pss", "PSS")):
        if name in worker:
            second.append(f"{what} {words.size(worker[name])}")
    if "cpu" in rates:
        second.append(f"CPU {words.percent(rates['cpu'])}")
    third = []
    if "own_requests" in worker:
        third.append(f"requests {words.count(worker['own_requests'])}")
    if responses := {name: n for name, n in worker.get("responses", {}).items() if n}:
        counts = " ".join(f"{name} {words.count(n)}" for name, n in responses.items())
        third.append(f"of the slot: {counts}")
    if events := {name: n for name, n in worker.get("events", {}).items() if n}:
        third.append(" ".join(f"{name} {n}" for name, n in events.items()))
    lines = [first, second, third]
    for name, it in worker["times"].items():
        if it["count"]:
            spans = " ".join(f"{key} {words.duration(it[key])}" for key in ("p50", "p90", "p99"))
            lines.append([f"{name} time: avg {words.duration(it['mean'])} {spans}"])
    return ["  ".join(part) for part in lines if part]


def requests(worker: Worker) -> list[tuple[str, ...]]:
    """All that it runs, the oldest first: age, phase, peer, id, method and path."""
    current = sorted(worker.get("current", []), key=lambda it: -it["age"])
    return [
        (
            words.duration(it["age"]),
            words.phase(it),
            printable(it.get("peer", "-")),
            printable(it.get("request_id", "-")),
            words.request(it),
        )
        for it in current
    ]
