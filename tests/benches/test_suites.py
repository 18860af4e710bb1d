"""Suites of the load benchmark: who runs in what, and in what time."""

from __future__ import annotations

import pytest
from loadbench.bench import Bench
from loadbench.peers import all_peers
from loadbench.plan import Plan
from loadbench.scenarios import BY_NAME, SCENARIOS
from loadbench.suites import PARTS, SUITES, absent, why_not, why_not_part

MINUTES = {"all": 31.0, "ours": 10.0}
# What issue 7 names: programs, and what they are asked for.
PROGRAMS = "gunicorn granian bjoern fastpysgi fastwsgi uwsgi waitress cheroot responder rgunicorn"


def bench(name: str) -> Bench:
    """Suite `name` as run.py makes it, on servers that nobody has installed."""
    suite = SUITES[name]
    plan = Plan(
        rounds=suite.rounds,
        seconds=suite.seconds,
        connections=32,
        threads=4,
        server_core=0,
        client_core=1,
        starts=suite.starts,
        traced_requests=4000,
        idle=suite.idle,
        stalled=1000,
        busy_workers=4,
        busy_rounds=suite.busy_rounds,
        busy_seconds=0.5,
        curve_connections=(10, 100, 1_000, 10_000),
        curve_fields=(1, 2, 4, 8, 16, 32, 64),
        curve_bodies=tuple(1 << power for power in (10, 15, 20, 25, 30)),
        curve_seconds=1.0,
        quick=False,
    )
    peers = [peer for peer in all_peers() if peer.name in suite.servers]
    scenarios = [BY_NAME[name] for name in suite.scenarios]
    return Bench(peers, scenarios, suite, plan, print)


def test_the_whole_suite_has_every_server_scenario_and_part() -> None:
    whole = SUITES["all"]
    assert set(whole.servers) == {peer.name for peer in all_peers()}
    assert {name.split("-")[0] for name in whole.servers} == set(PROGRAMS.split())
    assert whole.scenarios == tuple(scenario.name for scenario in SCENARIOS)
    assert whole.parts == PARTS
    assert whole.rounds >= 3


@pytest.mark.parametrize("name", MINUTES)
def test_a_suite_fits_its_time(name: str) -> None:
    assert bench(name).forecast_s(SUITES[name].parts) / 60 < MINUTES[name]


@pytest.mark.parametrize("name", SUITES)
def test_fields_name_servers_and_events_that_there_are(name: str) -> None:
    suite = SUITES[name]
    events = {*BY_NAME, *PARTS}
    for event, field in suite.fields.items():
        assert event in events
        assert set(field) <= set(suite.servers), event


@pytest.mark.parametrize("name", SUITES)
def test_nobody_is_left_out_without_a_reason(name: str) -> None:
    """Each server of a suite is in all its scenarios and parts, or the document says why not."""
    suite = SUITES[name]
    peers = [peer for peer in all_peers() if peer.name in suite.servers]
    scenarios = [BY_NAME[name] for name in suite.scenarios]
    told = absent(suite, peers, scenarios, suite.parts)
    out = {(one["event"], one["server"]) for one in told}
    for scenario in suite.scenarios:
        for peer in peers:
            runs = suite.enters(peer, scenario) and why_not(peer, BY_NAME[scenario]) is None
            assert runs is ((scenario, peer.name) not in out)
    for part in set(suite.parts) - {"timed", "syscalls", "micro", "call"}:
        for peer in peers:
            runs = suite.enters(peer, part) and why_not_part(peer, part) is None
            assert runs is ((part, peer.name) not in out)


def test_ours_meets_gunicorn_and_a_rival_in_every_scenario() -> None:
    suite = SUITES["ours"]
    for scenario in suite.scenarios:
        field = suite.fields[scenario]
        assert any(name.startswith("rgunicorn") for name in field), scenario
        assert any(name.startswith("gunicorn") for name in field), scenario
