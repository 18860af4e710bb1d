"""What we accept, Gunicorn's parser and h11 accept with the same meaning: made-up connections.

Longer: `python -m differential.run --help`, in `tests/`.
"""

from __future__ import annotations

import pytest

from harness.server import Command
from rgunicorn import _core

from . import ours
from .compare import Comparison
from .grammar import connection
from .listed import LISTED
from .reading import Reading, Refusal
from .theirs import gunicorn as helper

SEEDS = range(9_000)


@pytest.fixture(scope="module")
def compared(gunicorn: Command) -> Comparison:
    with helper(gunicorn.python) as process:
        comparison = Comparison(process)
        for seed in SEEDS:
            comparison.compare(seed)
    return comparison


def test_nothing_is_read_in_two_ways(compared: Comparison) -> None:
    findings = compared.tally.findings
    assert not findings, "\n".join(str(finding) for finding in findings[:5])


def test_enough_was_compared(compared: Comparison) -> None:
    """The generator makes requests that are taken, and meets every row of the list."""
    assert compared.tally.requests > len(SEEDS) / 2
    missing = [row.why for row in LISTED if not compared.tally.listed[f"{row.who}: {row.why}"]]
    assert not missing, "a row that is never needed"


def test_a_seed_is_a_connection() -> None:
    assert connection(7) == connection(7) != connection(8)


@pytest.mark.parametrize(
    "wrong, right",
    [
        (b"Content-Length : ", b"Content-Length:  "),
        (b"X: bare\n", b"X: bare-"),
        (b"xchunked", b" chunked"),
        (b"Transfer_Encoding", b"Transfer-Encoding"),
    ],
)
def test_a_lenient_reader_is_found(gunicorn: Command, wrong: bytes, right: bytes) -> None:
    """One that takes what nobody should."""

    def lenient(rules: _core.Rules, raw: bytes, piece: int) -> Reading:
        reading = ours.read(rules, raw, piece)
        if isinstance(reading, Refusal) or wrong == b"Transfer_Encoding":
            return ours.read(rules, raw.replace(wrong, right), piece)
        return reading

    with helper(gunicorn.python) as process:
        comparison = Comparison(process, lenient)
        seed = 0
        while not comparison.tally.findings and seed < 20_000:
            if wrong in connection(seed):
                comparison.compare(seed)
            seed += 1
    assert comparison.tally.findings
