"""What was promised, beside what a run's document says: ratios, never figures typed by hand."""

from __future__ import annotations

from dataclasses import dataclass

from loadbench.report import Document

_THREADED, _KEPT = "rgunicorn-gthread", "rgunicorn-sync-ka"
_LOOPS = ("bjoern", "fastwsgi", "fastpysgi")


@dataclass(frozen=True)
class Aim:
    """One promise."""

    what: str
    aim: str
    reached: str
    met: bool


def aims(document: Document) -> list[Aim]:
    """Those that this document can say something about."""
    rows = {(row["scenario"], row["server"]): row for row in document["summary"]}
    titles = {server["name"]: server["title"] for server in document["servers"]}
    found: list[Aim] = []

    def ratio(what: str, ours: str, rivals: tuple[str, ...], least: float) -> None:
        mine = rows.get(("keepalive", ours))
        theirs = [rows["keepalive", name] for name in rivals if ("keepalive", name) in rows]
        if mine is None or not theirs:
            return
        best = min(theirs, key=lambda row: row["cpu_us"])
        times = best["cpu_us"] / mine["cpu_us"]
        said = (
            f"{times:.1f} x ({mine['cpu_us']:.1f} µs against {best['cpu_us']:.1f} µs of "
            f"{titles[best['server']]})"
        )
        found.append(Aim(what, f"{least:.0f} x", said, times >= least))

    hello = "hello kept alive, requests per CPU second"
    ratio(f"gthread, {hello}, against Gunicorn gthread", _THREADED, ("gunicorn-gthread",), 10)
    ratio(f"gthread, {hello}, against Granian", _THREADED, ("granian",), 1)
    ratio(f"`sync_keepalive`, {hello}, against the fastest C loop", _KEPT, _LOOPS, 1)
    found += _sleep(document, rows)
    found += _idle(document)
    found += _busy(document)
    found += _stalled(document)
    return found


def _sleep(document: Document, rows: dict[tuple[str, str], Document]) -> list[Aim]:
    row = rows.get(("sleep10", _THREADED))
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
