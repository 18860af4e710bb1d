"""Everything at once for a minute: clients of all manners while workers are killed, added and
retired. `RGUNICORN_STORM_SECONDS` shortens it.

Afterwards nobody hangs, no worker and no descriptor is lost, no request ran or was answered twice,
and nobody complained in the log.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.proc import descriptors
from harness.server import Address, Spawn
from harness.shift import Shift, start_shift, worker
from harness.storm import Client, storm
from harness.wait import until
from harness.wire import Wire, get

SECONDS = float(os.environ.get("RGUNICORN_STORM_SECONDS", "60"))
CLIENTS = 24
WORKERS = 3
MANNERS = 9

pytestmark = [
    pytest.mark.gunicorn_bug("a slow client holds a thread, a connection stays with its worker"),
    pytest.mark.timeout(SECONDS + 180),
]


class Weather:
    """Signals at random to the master and its workers, and how many of them there were."""

    def __init__(self, shift: Shift) -> None:
        self.shift = shift
        self.dice = random.Random(5)
        self.sent: Counter[str] = Counter()

    @property
    def expected(self) -> int:
        """How many workers there should be."""
        return WORKERS + self.sent["ttin"] - self.sent["ttou"]

    def news(self) -> str:
        """The end of the log, without the complaints about rubbish."""
        lines = self.shift.server.log().splitlines()
        return "\n".join([line for line in lines if "Invalid request" not in line][-40:])

    def blow(self) -> None:
        choices = ["kill"] * 3
        choices += ["ttin"] * (self.expected < WORKERS + 2)
        choices += ["ttou"] * (self.expected > WORKERS - 1)
        choice = self.dice.choice(choices)
        if choice == "kill":
            workers = until(lambda: self.shift.workers, "a worker", show=self.news)
            # It may be gone by now.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.dice.choice(workers), signal.SIGKILL)
                self.sent["kill"] += 1
            return
        self.shift.server.send_signal(signal.Signals[f"SIG{choice.upper()}"])
        self.sent[choice] += 1
        # Signals of one kind that are pending at the same time are one.
        self.shift.server.wait_log(f"Handling signal: {choice}", self.sent[choice])

    def settle(self) -> None:
        """As many workers again as at the beginning."""
        until(
            lambda: len(self.shift.workers) == self.expected,
            f"{self.expected} workers",
            show=self.news,
        )
        while self.expected != WORKERS:
            choice = "ttin" if self.expected < WORKERS else "ttou"
            self.shift.server.send_signal(signal.Signals[f"SIG{choice.upper()}"])
            self.sent[choice] += 1
            self.shift.server.wait_log(f"Handling signal: {choice}", self.sent[choice])
        until(
            lambda: len(self.shift.workers) == WORKERS,
            f"{WORKERS} workers",
            show=self.news,
        )


def open_in(pid: int) -> Counter[str]:
    """What a process has open, by kind."""
    return Counter(re.sub(r":\[\d+\]|.*/", "", what) for what in descriptors(pid))


def open_at_rest(shift: Shift) -> tuple[Counter[str], Counter[str]]:
    """What the master and each worker have open when all have worked and nobody does.

    All workers must have the same.
    """
    for gate in shift.occupy(*shift.workers):
        gate.let_go()

    def each() -> list[Counter[str]]:
        return [open_in(pid) for pid in shift.workers]

    until(
        lambda: (first := each())[1:] == first[:-1],
        "all workers to have the same open",
        show=lambda: "\n".join(str(dict(found)) for found in each()),
    )
    return open_in(shift.server.pid), each()[0]


def assert_served(addresses: list[Address]) -> None:
    for address in addresses:
        for _ in range(20):
            with Wire(address) as wire:
                assert worker(wire.send(get("/hello")).response())


def assert_sound(clients: list[Client], weather: Weather) -> None:
    wrong = [complaint for client in clients for complaint in client.wrong]
    assert not wrong, "\n".join(wrong)
    answered = sum((client.answered for client in clients), Counter[str]())
    # `reset` reads no answer.
    assert len(answered) == MANNERS - 1, answered
    lost = sum((client.lost for client in clients), Counter[str]())
    # A client has one connection at a time: that is what a kill may cost it.
    assert lost.total() <= weather.sent["kill"] * CLIENTS, (lost, weather.sent)
    print(f"answered {dict(answered)}, lost {dict(lost)}, signals {dict(weather.sent)}")


@pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
def test_storm(spawn: Spawn, kind: Kind) -> None:
    threads = {"threads": 4} if kind is kinds.GTHREAD else {}
    settings = {**kind.settings, **threads, "workers": WORKERS, "graceful_timeout": 20}
    shift = start_shift(spawn, settings, config="bind = [bind, 'unix:s.sock']")
    addresses: list[Address] = [shift.address, str(shift.server.directory / "s.sock")]
    before = open_at_rest(shift)

    weather = Weather(shift)
    end = time.monotonic() + SECONDS
    with storm(addresses, CLIENTS) as clients:
        while time.monotonic() < end and any(client.is_alive() for client in clients):
            time.sleep(weather.dice.uniform(0.1, 0.5))
            weather.blow()

    weather.settle()
    assert_served(addresses)
    assert_sound(clients, weather)
    # It fails when one of them ran twice.
    assert len(shift.ledger.runs()) > 100
    assert open_at_rest(shift) == before
    log = shift.server.assert_clean_exit()
    for complaint in ("Traceback", "panicked", "Exception"):
        assert complaint not in log
