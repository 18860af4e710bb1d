"""One made-up connection, request by request, through all parsers."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rgunicorn import _core

from . import ours
from .grammar import connection
from .listed import STRICTER, is_listed
from .reading import SETTINGS, Message, Reading, Refusal
from .theirs import Gunicorn, read_h11

Read = Callable[[_core.Rules, bytes, int], Reading]
"""Rules, bytes, and how many of them come at a time."""


@dataclass
class Finding:
    """Something that is read in two ways."""

    seed: int
    who: str
    raw: bytes
    ours: Reading
    theirs: Reading

    def __str__(self) -> str:
        settings = SETTINGS[self.seed % len(SETTINGS)]
        return (
            f"seed {self.seed} {settings}, {self.who}\n  {self.raw!r}\n"
            f"  ours   {self.ours}\n  theirs {self.theirs}"
        )


@dataclass
class Tally:
    """What a run came to."""

    connections: int = 0
    requests: int = 0
    """That we took."""
    listed: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


class Comparison:
    """Compares connection after connection."""

    def __init__(self, gunicorn: Gunicorn, read: Read = ours.read) -> None:
        self._gunicorn = gunicorn
        self._read = read
        self._rules = [ours.rules(settings) for settings in SETTINGS]
        self.tally = Tally()

    def compare(self, seed: int) -> None:
        """The connection of that seed, under the configuration of that seed."""
        self.tally.connections += 1
        raw = connection(seed)
        config = seed % len(SETTINGS)
        while raw:
            used = self._compare_one(seed, config, raw)
            if not used:
                break
            raw = raw[used:]

    def _compare_one(self, seed: int, config: int, raw: bytes) -> int:
        """Returns how many bytes the first request has; 0 when it is none."""
        rules = self._rules[config]
        mine = self._read(rules, raw, 0)
        pieces = self._read(rules, raw, 1 + seed % 7)
        if pieces != mine and not _same_refusal(pieces, mine):
            self._find(seed, "ours, in pieces", raw, mine, pieces)
        gunicorns = self._gunicorn.read(config, raw)
        if not isinstance(mine, Message):
            if isinstance(gunicorns, Message):
                self._judge_stricter(seed, raw, mine, gunicorns)
            return 0
        self.tally.requests += 1
        if gunicorns != mine:
            self._judge(seed, "gunicorn", raw, mine, gunicorns)
        if not SETTINGS[config]:
            plain = _as_h11(mine)
            h11s = read_h11(raw)
            if h11s != plain:
                self._judge(seed, "h11", raw, plain, h11s)
        return mine.used

    def _judge(self, seed: int, who: str, raw: bytes, mine: Message, theirs: Reading) -> None:
        row = is_listed(who, raw, mine, theirs)
        if row is None:
            self._find(seed, who, raw, mine, theirs)
        else:
            self.tally.listed[f"{who}: {row.why}"] += 1

    def _judge_stricter(self, seed: int, raw: bytes, mine: Reading, theirs: Message) -> None:
        row = STRICTER.get(mine.name) if isinstance(mine, Refusal) else None
        if row is None:
            self._find(seed, "gunicorn takes it", raw, mine, theirs)
        else:
            self.tally.listed[f"refused here, taken by gunicorn: {row}"] += 1

    def _find(self, seed: int, who: str, raw: bytes, mine: Reading, theirs: Reading) -> None:
        self.tally.findings.append(Finding(seed, who, raw, mine, theirs))


def _as_h11(message: Message) -> Message:
    """Without what h11 does not say, or says otherwise: names that `header_map` drops and
    `forwarder_headers` allows, the case of a coding."""
    fields = tuple(
        (name, value.lower() if name == "TRANSFER-ENCODING" else value)
        for name, value in message.fields
        if "_" not in name
    )
    return dataclasses.replace(message, fields=fields, path=None, query=None, scheme=None)


def _same_refusal(one: Reading, other: Reading) -> bool:
    """Refused both times: how much of it is in the words depends on what had come."""
    return isinstance(one, Refusal) and isinstance(other, Refusal) and one.name == other.name
