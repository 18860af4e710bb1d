"""What operators do all day, under constant load: not one request fails."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.traffic import traffic
from harness.wait import until
from storms.conftest import Open, Site

# `RGUNICORN_STORM_SHARE=0.2` makes them short.
SHARE = float(os.environ.get("RGUNICORN_STORM_SHARE", "1"))
HUPS = round(20 * SHARE)
UPGRADES = round(5 * SHARE)
RECYCLES = round(50 * SHARE)


@pytest.mark.parametrize("kind", kinds.STORMY_AND_KEPT, ids=str)
def test_hup(open_site: Open, kind: Kind) -> None:
    site = open_site(kind)
    with traffic(site.server.address) as clients:
        for _ in range(HUPS):
            site.hup()
            clients.wait_answers(20)
    print(clients.report())
    clients.assert_nothing_failed()
    site.stop()


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
def test_upgrades(open_site: Open, kind: Kind) -> None:
    site = open_site(kind)
    with traffic(site.server.address) as clients:
        for _ in range(UPGRADES):
            site.upgrade()
            clients.wait_answers(20)
    print(clients.report())
    clients.assert_nothing_failed()
    site.stop()


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
def test_recycles(open_site: Open, kind: Kind) -> None:
    # The import is not what this is about.
    site = open_site(kind, max_requests=40, max_requests_jitter=20, preload_app=True)
    with traffic(site.server.address) as clients:
        until(lambda: len(site.loaded) > RECYCLES, f"{RECYCLES} recycles", 90, show=site.news)
    print(clients.report())
    clients.assert_nothing_failed()
    site.stop()


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
def test_ttin_and_ttou(open_site: Open, kind: Kind) -> None:
    site = open_site(kind, workers=3)
    dice = random.Random(3)
    sent = {"ttin": 0, "ttou": 0}

    def blow(site: Site, name: str) -> None:
        site.signal(signal.Signals[f"SIG{name.upper()}"])
        sent[name] += 1
        # Signals of one kind that are pending at the same time are one.
        site.server.wait_log(f"Handling signal: {name}", sent[name])
        site.count += 1 if name == "ttin" else -1

    with traffic(site.server.address) as clients:
        for _ in range(round(60 * SHARE)):
            choices = ["ttin"] * (site.count < 5) + ["ttou"] * (site.count > 1)
            blow(site, dice.choice(choices))
            time.sleep(dice.uniform(0, 0.05))
        site.settle()
        clients.wait_answers(20)
    print(clients.report())
    clients.assert_nothing_failed()
    site.stop()


@pytest.mark.parametrize("kind", kinds.STORMY, ids=str)
@pytest.mark.gunicorn_bug("what waits to be accepted is reset")
def test_stop(open_site: Open, kind: Kind) -> None:
    """TERM: who has connected is answered, whoever comes later is refused."""
    site = open_site(kind)
    with traffic(site.server.address) as clients:
        clients.wait_answers(20)
        site.stop()
    print(clients.report())
    assert {failure.kind for failure in clients.failures} <= {"refused"}, clients.report()
