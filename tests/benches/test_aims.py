"""Aims of the load benchmark: ratios that a run's document is measured by."""

from __future__ import annotations

from typing import Any

import pytest
from loadbench.aims import Aim, aims

TITLES = {"close": "hello, closed", "keepalive": "hello, kept", "browser": "browser"}
SERVERS = {
    # name: ours, threads, floor
    "responder": (False, False, True),
    "rgunicorn-sync": (True, False, False),
    "rgunicorn-sync-ka": (True, False, False),
    "rgunicorn-gthread": (True, True, False),
    "gunicorn-sync": (False, False, False),
    "gunicorn-gthread": (False, True, False),
    "granian": (False, True, False),
    "uwsgi": (False, False, False),
}


def document(costs: dict[tuple[str, str], float], **parts: Any) -> dict[str, Any]:
    """One that says of each scenario and server what a request costs, in µs."""
    rows = [
        {"scenario": scenario, "server": server, "cpu_us": cost}
        for (scenario, server), cost in costs.items()
    ]
    empty: dict[str, Any] = {"idle": [], "busy": [], "stalled": [], "memory": []}
    return {
        **empty,
        "boot_seconds": {},
        "summary": rows,
        "servers": [
            {"name": name, "title": name, "ours": ours, "threads": threads, "floor": floor}
            for name, (ours, threads, floor) in SERVERS.items()
        ],
        "scenarios": [{"name": name, "title": TITLES[name], "limit": None} for name in TITLES],
        **parts,
    }


def only(found: list[Aim], *words: str) -> Aim:
    """The one whose promise has all `words`."""
    (one,) = [aim for aim in found if all(word in aim.what for word in words)]
    return one


@pytest.mark.parametrize(("ours", "met"), [(10.0, True), (11.0, False)])
def test_a_ratio_is_met_or_says_by_how_much_not(ours: float, met: bool) -> None:
    found = aims(document({("close", "rgunicorn-sync"): ours, ("close", "gunicorn-sync"): 55.0}))
    aim = only(found, "rgunicorn-sync, hello, closed", "against gunicorn-sync")
    assert (aim.aim, aim.met) == ("5.5 x", met)
    assert ("9.1% short" in aim.reached) is not met


@pytest.mark.parametrize(("ours", "met"), [(10.2, True), (10.3, False)])
def test_level_is_within_two_percent(ours: float, met: bool) -> None:
    found = aims(document({("close", "rgunicorn-sync"): ours, ("close", "uwsgi"): 10.0}))
    assert only(found, "against uwsgi").met is met
    first = only(found, "one thread", "first or level")
    assert first.met is met
    assert first.reached.startswith("level" if met else "behind by 3.0%")


@pytest.mark.parametrize(("ours", "met"), [(5.5, True), (5.6, False)])
def test_the_floor_is_the_responder_and_one_call(ours: float, met: bool) -> None:
    costs = {("keepalive", "rgunicorn-sync-ka"): ours, ("keepalive", "responder"): 4.0}
    found = aims(document(costs, wsgi_call_us={"hello": 1.0}))
    assert only(found, "responder plus one WSGI call").met is met


def test_without_the_cost_of_a_call_there_is_no_floor() -> None:
    costs = {("keepalive", "rgunicorn-sync-ka"): 5.0, ("keepalive", "responder"): 4.0}
    assert not [aim for aim in aims(document(costs)) if "responder" in aim.what]


def test_each_class_has_its_own_first() -> None:
    costs = {
        ("keepalive", "rgunicorn-sync-ka"): 5.0,
        ("keepalive", "rgunicorn-gthread"): 6.0,
        ("keepalive", "uwsgi"): 4.0,
        ("keepalive", "granian"): 12.0,
        ("keepalive", "responder"): 1.0,
    }
    found = aims(document(costs))
    assert only(found, "one thread", "first or level").reached.startswith("behind by 25.0%")
    assert only(found, "hello, kept, threads", "first or level").reached.startswith("first")


@pytest.mark.parametrize(
    ("among", "met", "said"),
    [(0.2, True, "2.00 x"), (0.3, False, "50.0% too much"), (None, False, "not answered")],
)
def test_slow_clients(among: float | None, met: bool, said: str) -> None:
    one = {"server": "rgunicorn-gthread", "clients": 200}
    one |= {"alone_p99_ms": 0.1, "among_p99_ms": among}
    aim = only(aims(document({}, dribble=[one])), "dribbling")
    assert aim.met is met and said in aim.reached


@pytest.mark.parametrize("failed", [0, 1])
def test_a_single_failed_request_misses_the_aim_of_reloads(failed: int) -> None:
    one = {"server": "rgunicorn-gthread", "reloads": 3, "failed": failed}
    one |= {"kept_requests": 1000, "closing_requests": 500}
    aim = only(aims(document({}, reload=[one])), "reloads under load")
    assert aim.met is (failed == 0) and aim.aim == "0 of 1,500"
