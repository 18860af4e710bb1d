"""A run: who is there, what happens to them, and the look at everything afterwards."""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos import complaints, invariants, programs, records, rude, talkers
from chaos.clients import Book, Client, Gate, all_rest
from chaos.deck import ALL, Deck
from chaos.disturbances import Disturbance, FullSpool
from chaos.invariants import Finding
from chaos.site import SPOOL_MB, Measure, Site, mount, unmount
from chaos.timeline import Timeline
from harness.server import Address
from harness.wait import until
from harness.wire import Wire, get

HANDS = 2
"""Disturbances at once."""
ROUND = 60
"""Seconds between two rests, in which memory is measured."""

DIRECT: tuple[type[Client], ...] = (
    talkers.Talker,
    talkers.Pipeliner,
    talkers.Dribbler,
    talkers.Chunker,
    talkers.Closer,
    talkers.Slow,
    programs.Browser,
    programs.Curl,
    programs.Wrk,
    rude.Resetter,
    rude.Staller,
    rude.Hoarder,
    rude.Babbler,
    rude.Flooder,
)


class Director:
    """One run.

    Args:
        kind: the worker class, one of `site.KINDS`.
        directory: for all files of it.
        seed: of all dice.
        workers: how many.
        say: is told each disturbance.
    """

    def __init__(
        self, kind: str, directory: Path, seed: int, workers: int, say: Callable[[str], None]
    ) -> None:
        self.seed = seed
        self.site = Site(kind, directory, workers)
        self.timeline = Timeline(directory / "timeline.jsonl", say)
        self.book = Book()
        self.gate = Gate()
        self.clients: list[Client] = []
        self.measures: list[Measure] = []
        self.left_out: list[str] = []
        """What can not be done here, and why."""
        self._failures: list[str] = []
        self._stack = contextlib.ExitStack()

    def run(self, seconds: float, only: Sequence[str] = ()) -> list[Finding]:
        """All of it, about `seconds` long; what was found at the end."""
        end = time.monotonic() + seconds
        cards = self._cards(only)
        if why := mount(self.site.spool, SPOOL_MB):
            self.left_out.append(f"full-spool: {why}; write-spool does the same by preload")
            cards = [card for card in cards if card is not FullSpool]
        deck = Deck(random.Random(self.seed), cards)
        for line in self.left_out:
            print(f"left out: {line}", flush=True)
        self.site.start()
        self._start_clients()
        rounds = max(1, round(seconds / ROUND))
        # The first is the warm-up.
        for number in range(rounds + 1):
            left = max(0.0, end - time.monotonic()) / (rounds + 1 - number)
            self._round(deck, left)
            self.measures.append(self.site.measure())
        return self._findings()

    def state(self) -> str:
        """How it goes."""
        requests = list(self.book.requests.values())
        outcomes = Counter(request.outcome for request in requests)
        at_work = (
            []
            if self.gate.is_open
            else [client.name for client in self.clients if not client.resting.is_set()]
        )
        under_way = [it.name for it in list(self.timeline.entries) if it.end == float("inf")]
        return (
            f"{len(requests)} requests {dict(outcomes)}, wrk "
            f"{sum(burst.answered for burst in list(self.book.bursts.values()))}; "
            f"{len(self.timeline.entries)} disturbances, now {under_way}"
            + (f"; not at rest: {at_work}" if at_work else "")
        )

    def end(self) -> None:
        """Ends everything, whatever has happened."""
        self.gate.over.set()
        for client in self.clients:
            client.join(5)
        self._stack.close()
        self.site.server.end()
        self.timeline.close()
        unmount(self.site.spool)

    def _cards(self, only: Sequence[str]) -> list[type[Disturbance]]:
        return [card for card in ALL if not only or card.name in only]

    def _start_clients(self) -> None:
        absent = programs.missing()
        self.left_out += [f"{name}: not installed" for name in absent]
        targets: list[tuple[type[Client], str, Address]] = []
        for kind in DIRECT:
            if kind.__name__.lower() not in absent:
                targets.append((kind, kind.__name__.lower(), self.site.address))
        if "nginx" not in absent:
            directory = self.site.directory / "nginx"
            proxies = self._stack.enter_context(programs.proxies(directory, self.site.address))
            for name, address in zip(("buffered", "unbuffered"), proxies, strict=True):
                targets.append((programs.Proxied, name, address))
        for client, name, address in targets:
            self.clients.append(client(name, self.seed, address, self.book, self.gate))
            self.clients[-1].start()

    def _round(self, deck: Deck, seconds: float) -> None:
        """Clients and disturbances, then a rest."""
        over = threading.Event()
        hands = [
            threading.Thread(target=self._hand, args=(deck, over), daemon=True)
            for _ in range(HANDS)
        ]
        with self.gate.opened():
            for hand in hands:
                hand.start()
            time.sleep(seconds)
            over.set()
            for hand in hands:
                hand.join(180)
            assert not any(hand.is_alive() for hand in hands), "a disturbance does not end"
        self.timeline.note("rest", "", "")
        self._rest(lambda: all_rest(self.clients))
        # A socket of a client of ours may hang on an exception that refers to itself.
        gc.collect()
        self._rest(self.site.settle)

    def _rest(self, wait: Callable[[], None]) -> None:
        """Waits; that it comes to no end is a failure."""
        try:
            wait()
        except AssertionError as error:
            self._failures.append(f"no rest: {error}")
            self.timeline.note("unrest", "", str(error)[:200])

    def _hand(self, deck: Deck, over: threading.Event) -> None:
        """One disturbance after the other, until it is over."""
        dice = deck.more_dice()
        while not over.wait(dice.uniform(0, 0.8)):
            card = deck.draw()
            try:
                card(self.site, self.timeline, dice, self.gate).happen()
            except Exception as error:
                self._failures.append(f"{card.name}: {error!r}")
                return
            finally:
                deck.back(card)
            if not self.site.server.running():
                self._failures.append("the master has ended")
                return

    def _findings(self) -> list[Finding]:
        site, book, timeline = self.site, self.book, self.timeline
        answered = self._ask_everybody()
        # The server hears a moment later that those have gone.
        self._rest(site.settle)
        findings = [
            invariants.clients_work(self.clients, len(timeline.entries), self._failures),
            invariants.workers(site, answered),
            invariants.nothing_left(site),
            invariants.descriptors(site, self.measures[0], self.measures[-1]),
            invariants.memory(site, self.measures),
        ]
        told = self._written()
        for name in [name for name in told.lines if name == "-" or name.startswith("last-")]:
            del told.lines[name]
        behaving = {client.name for client in self.clients if client.behaves}
        kills = site.log().count("was sent SIG") + site.log().count("exited with code")
        findings += [
            invariants.answers(book, timeline, behaving),
            invariants.access_lines(book, told, timeline, site.hands),
            invariants.log_is_whole(told, timeline, site.faults.counts()["write-log"]),
            invariants.runs(book, told),
            invariants.counters(site, book, told, kills),
            self._obeys(),
            complaints.complaints(site.log()),
        ]
        return findings

    def _written(self) -> records.Records:
        """What the server has written, when it writes no more: lines come a moment after their
        answers."""
        found = [records.read(self.site)]

        def is_all() -> bool:
            time.sleep(0.3)
            found.append(records.read(self.site))
            return found[-1].total == found[-2].total

        self._rest(lambda: until(is_all, "the last access lines"))
        return found[-1]

    def _ask_everybody(self) -> set[int]:
        """Asks until each worker has answered; the pids of those who have."""
        seen: set[int] = set()
        end = time.monotonic() + 30
        count = 0
        while time.monotonic() < end and not set(self.site.workers) <= seen:
            with contextlib.ExitStack() as stack:
                # As many at once as there is room for, so that nobody serves all of them.
                wires = [stack.enter_context(Wire(self.site.address)) for _ in range(16)]
                for wire in wires:
                    count += 1
                    wire.send(get("/nap/0.05", f"X-Request-ID: last-{count}"))
                seen |= {int(wire.response().header("X-Worker") or 0) for wire in wires}
        return seen

    def _obeys(self) -> Finding:
        """HUP and TERM, as ever."""
        site = self.site
        wrong = []
        try:
            if not site.hup():
                wrong.append("HUP: the reload was given up")
            site.settle()
            log = site.server.assert_clean_exit(signal.SIGTERM)
            if "Shutting down: Master" not in log:
                wrong.append("it did not say that it shuts down")
        except AssertionError as error:
            wrong.append(str(error)[-3000:])
        return Finding(
            "the master",
            "answers HUP with new workers, and TERM by leaving with 0, with all of them",
            "it does" if not wrong else "it does not",
            wrong,
        )
