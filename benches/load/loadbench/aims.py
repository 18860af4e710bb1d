"""What was promised, beside what a run's document says: ratios, never figures typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadbench.report import Document
from loadbench.standing import standings

_SYNC, _KEPT, _THREADED = "rgunicorn-sync", "rgunicorn-sync-ka", "rgunicorn-gthread"
_OURS = (_SYNC, _KEPT, _THREADED)
_LEVEL = 1.02

# What the sum of the floor and a WSGI call may be multiplied by: request, scenario, factor.
_FLOORS = (("hello", "keepalive", 1.10), ("browser", "browser", 1.25))
# How many times the rival's CPU per request is to be ours: scenario, ours, rival, at least.
_TIMES = (
    ("close", _SYNC, "gunicorn-sync", 5.5),
    ("keepalive", _KEPT, "gunicorn-sync", 16.0),
    ("browser", _KEPT, "gunicorn-sync", 16.0),
    ("keepalive", _THREADED, "gunicorn-gthread", 12.0),
    ("keepalive", _THREADED, "granian", 1.4),
    ("flask", _THREADED, "gunicorn-gthread", 2.8),
    ("django", _THREADED, "gunicorn-gthread", 2.8),
    ("django-plain", _THREADED, "gunicorn-gthread", 2.8),
    ("flask", _THREADED, "granian", 1.0),
    ("django", _THREADED, "granian", 1.0),
    ("django-plain", _THREADED, "granian", 1.0),
)
# Not more than 2 % above the rival.
_LEVELS = (
    ("close", _SYNC, "uwsgi"),
    ("large", _KEPT, "fastpysgi"),
    ("upload", _KEPT, "fastpysgi"),
)


@dataclass(frozen=True)
class Aim:
    """One promise."""

    what: str
    aim: str
    reached: str
    """With the figures behind it, and by how much it was missed."""
    met: bool


def aims(document: Document) -> list[Aim]:
    """Those that this document can say something about."""
    return [
        *_floors(document),
        *_ratios(document),
        *_first(document),
        *_reload(document),
        *_dribble(document),
        *_sleep(document),
        *_idle(document),
        *_busy(document),
        *_stalled(document),
    ]


def _floors(document: Document) -> Iterator[Aim]:
    """The responder's CPU per request, plus what CPython needs for the call."""
    costs = _costs(document)
    calls = document.get("wsgi_call_us") or {}
    for request, scenario, factor in _FLOORS:
        mine, floor = costs.get((scenario, _KEPT)), costs.get((scenario, "responder"))
        if mine is None or floor is None or request not in calls:
            continue
        least = floor + calls[request]
        times = mine / least
        said = f"{times:.2f} ({mine:.2f} µs; {floor:.2f} + {calls[request]:.2f} µs)"
        yield Aim(
            f"`sync_keepalive`, {_title(document, scenario)}: CPU per request against the "
            "responder plus one WSGI call",
            f"at most {factor:.2f}",
            said + _beyond(times, factor),
            times <= factor,
        )


def _ratios(document: Document) -> Iterator[Aim]:
    costs = _costs(document)
    names = {one["name"]: one["title"] for one in document["servers"]}

    def figures(scenario: str, ours: str, rival: str) -> tuple[float, str, str] | None:
        mine, theirs = costs.get((scenario, ours)), costs.get((scenario, rival))
        if mine is None or theirs is None:
            return None
        what = f"{names[ours]}, {_title(document, scenario)}, against {names[rival]}"
        return theirs / mine, what, f"({mine:.2f} against {theirs:.2f} µs)"

    for scenario, ours, rival, least in _TIMES:
        found = figures(scenario, ours, rival)
        if found is None:
            continue
        times, what, said = found
        reached = f"{times:.2f} x {said}" + ("" if times >= least else _short(times, least))
        yield Aim(f"{what}: requests per CPU second", f"{least:g} x", reached, times >= least)
    for scenario, ours, rival in _LEVELS:
        found = figures(scenario, ours, rival)
        if found is None:
            continue
        times, what, said = found
        share = 1 / times
        yield Aim(
            f"{what}: CPU per request",
            "level (2 %)",
            f"{share:.2f} x {said}" + _beyond(share, _LEVEL),
            share <= _LEVEL,
        )


def _first(document: Document) -> Iterator[Aim]:
    """First or level among the servers of each class, in everything that has a figure."""
    for one in standings(document):
        share = one.mine / one.best
        said = f"{one.mine:.{one.digits}f} against {one.best:.{one.digits}f} {one.unit}"
        place = "first" if share < 1 / _LEVEL else "level" if share <= _LEVEL else "behind"
        behind = f" by {share - 1:.1%}" if share > _LEVEL else ""
        yield Aim(
            f"{one.event}, {one.kind}: first or level (2 %)",
            "yes",
            f"{place}{behind}: {one.ours} {said} of {one.rival}",
            share <= _LEVEL,
        )


def _reload(document: Document) -> Iterator[Aim]:
    for one in document.get("reload", []):
        if one["server"] not in _OURS:
            continue
        requests = one["kept_requests"] + one["closing_requests"]
        yield Aim(
            f"{one['reloads']} reloads under load, {one['server']}: failed requests",
            f"0 of {requests:,}",
            f"{one['failed']}",
            one["failed"] == 0,
        )


def _dribble(document: Document) -> Iterator[Aim]:
    for one in document.get("dribble", []):
        if one["server"] not in _OURS:
            continue
        what = (
            f"p99 of an honest client among {one['clients']} dribbling ones, {one['server']}, "
            "against its p99 alone"
        )
        if one["among_p99_ms"] is None:
            yield Aim(what, "at most 2 x", "a request was not answered within 3 s", False)
            continue
        times = one["among_p99_ms"] / one["alone_p99_ms"]
        said = f"{times:.2f} x ({one['among_p99_ms']:.3f} against {one['alone_p99_ms']:.3f} ms)"
        yield Aim(what, "at most 2 x", said + _beyond(times, 2.0), times <= 2.0)


def _sleep(document: Document) -> list[Aim]:
    rows = [row for row in document["summary"] if row["scenario"] == "sleep10"]
    row = next((row for row in rows if row["server"] == _THREADED), None)
    limit = next((one["limit"] for one in document["scenarios"] if one["name"] == "sleep10"), None)
    if row is None or limit is None:
        return []
    share = row["requests_per_s"] / limit
    said = f"{share:.1%} ({row['requests_per_s']:,.0f}/s)"
    what = f"10 ms sleep, 32 threads: share of the {limit:,} requests/s they allow"
    return [Aim(what, "90 %", said, share >= 0.9)]


def _idle(document: Document) -> list[Aim]:
    mine = [one for one in document["idle"] if one["server"] in (_THREADED, _KEPT)]
    return [
        Aim(
            f"{one['connections']:,} idle connections, {one['server']}: requests not answered",
            "0",
            f"{one['connections'] - one['answered'] + one['socket_errors']}; "
            f"{one['pss_bytes'] / one['connections']:,.0f} bytes each",
            one["answered"] == one["connections"] and not one["socket_errors"],
        )
        for one in mine
    ]


def _busy(document: Document) -> list[Aim]:
    return [
        Aim(
            f"waited behind a busy worker, {one['server']}, "
            f"{'kept-alive' if one['kept_alive'] else 'new'} connections",
            f"0 of {one['requests']}",
            f"{one['waited']}",
            one["waited"] == 0,
        )
        for one in document["busy"]
        if one["server"] in (_THREADED, _KEPT)
    ]


def _stalled(document: Document) -> list[Aim]:
    return [
        Aim(
            f"{one['clients']:,} clients that stall ({one['kind']}), {one['server']}: "
            "an honest one is served",
            "yes",
            "yes" if one["honest"] else "no",
            one["honest"],
        )
        for one in document["stalled"]
        if one["server"] in (_THREADED, _KEPT)
    ]


def _costs(document: Document) -> dict[tuple[str, str], float]:
    """CPU µs per request by scenario and server."""
    return {(row["scenario"], row["server"]): row["cpu_us"] for row in document["summary"]}


def _title(document: Document, scenario: str) -> str:
    return str(next(one["title"] for one in document["scenarios"] if one["name"] == scenario))


def _short(times: float, least: float) -> str:
    return f", {1 - times / least:.1%} short"


def _beyond(times: float, most: float) -> str:
    return f", {times / most - 1:.1%} too much" if times > most else ""
