"""Every disturbance, and which is next."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from chaos.disturbances import (
    Clock,
    Disturbance,
    Fewer,
    FullSpool,
    Kill,
    Memory,
    Reload,
    Retire,
    Rotate,
    StopMaster,
    StopWorker,
)
from chaos.failing import (
    AcceptFails,
    DescriptorFails,
    LogFails,
    MapFails,
    OpenFails,
    ReceiveFails,
    SendFails,
    SpoolFails,
    ThreadFails,
    WatchFails,
)

ALL: tuple[type[Disturbance], ...] = (
    Kill,
    StopWorker,
    StopMaster,
    Reload,
    Retire,
    Rotate,
    Clock,
    Fewer,
    Memory,
    FullSpool,
    AcceptFails,
    OpenFails,
    ReceiveFails,
    SendFails,
    DescriptorFails,
    WatchFails,
    ThreadFails,
    MapFails,
    SpoolFails,
    LogFails,
)


class Deck:
    """Cards that are drawn until there is none, so that each has its turn; then again.

    Args:
        dice: shuffle them.
        cards: what may happen.
    """

    def __init__(self, dice: random.Random, cards: Sequence[type[Disturbance]]) -> None:
        self._dice = dice
        self._cards = list(cards)
        self._left: list[type[Disturbance]] = []
        self._out: list[type[Disturbance]] = []
        self._lock = threading.Lock()

    def more_dice(self) -> random.Random:
        """For a hand."""
        with self._lock:
            return random.Random(self._dice.getrandbits(64))

    def draw(self) -> type[Disturbance]:
        """A card; one that is not out, unless all are: the end of one disturbance would be the end
        of another of its kind."""
        with self._lock:
            if all(card in self._out for card in self._left):
                self._left = self._dice.sample(self._cards, len(self._cards))
            card = next((it for it in reversed(self._left) if it not in self._out), self._left[-1])
            self._left.remove(card)
            self._out.append(card)
            return card

    def back(self, card: type[Disturbance]) -> None:
        """It is over."""
        with self._lock:
            self._out.remove(card)
