"""The numbers of `rgunicorn stats` and `top`, from made-up samples."""

from __future__ import annotations

import json

import pytest

from rgunicorn.top import rows, words
from rgunicorn.top.document import document
from rgunicorn.top.report import as_json, as_text
from rgunicorn.top.times import Times
from top.looking import VALIDATOR
from top.made import SECOND, request, sample, times, worker

BOUNDS = (10, 20, 40)


def test_quantiles_are_spread_in_their_bucket() -> None:
    ten = Times((0, 10, 0, 0), 150)
    assert ten.quantile(0.5, BOUNDS) == pytest.approx(15e-9)
    assert ten.quantile(1.0, BOUNDS) == pytest.approx(20e-9)
    two = Times((9, 0, 1, 0), 100)
    assert two.quantile(0.9, BOUNDS) == pytest.approx(10e-9)
    assert two.quantile(0.95, BOUNDS) == pytest.approx(30e-9)
    # Nobody knows how far above the last bound.
    assert Times((0, 0, 0, 1), 99).quantile(0.5, BOUNDS) == pytest.approx(40e-9)
    assert Times((0, 0, 0, 0)).quantile(0.5, BOUNDS) is None
    assert Times().document() == {"count": 0}


def test_rates_are_differences() -> None:
    before = sample(
        worker(requests=10, busy_ns=SECOND, histograms={"app": times(b9=10)}), now=10, cpu={1: 1.0}
    )
    now = sample(
        worker(requests=30, busy_ns=5 * SECOND, histograms={"app": times(b9=10, b0=20)}),
        now=12,
        cpu={1: 2.0},
    )
    found = document(now, before)
    assert found["interval"] == 2 and found["rates"]["requests"] == 10
    assert found["rates"]["responses"]["2xx"] == 10
    assert found["rates"]["utilisation"] == 0.5 and found["rates"]["cpu"] == 0.5
    # Only of the requests in between.
    assert found["rates"]["times"]["app"]["count"] == 20
    assert found["rates"]["times"]["app"]["p99"] <= 50e-6
    assert found["workers"][0]["times"]["app"]["count"] == 30
    VALIDATOR.validate(json.loads(as_json(found)))


def test_the_next_worker_of_a_slot_counts_on() -> None:
    before = sample(worker(requests=10, busy_ns=90 * SECOND), now=10, cpu={1: 50.0})
    successor = worker(
        requests=14,
        own_requests=4,
        age=9,
        claimed_ns=11 * SECOND,
        booted_ns=11 * SECOND,
        busy_ns=SECOND,
        respawns=1,
    )
    found = document(sample(successor, now=12, cpu={9: 1.0}), before)
    (it,) = found["workers"]
    assert it["rates"]["requests"] == 2 and it["own_requests"] == 4
    assert it["rates"]["utilisation"] == 1 / 8 and it["rates"]["cpu"] == 0.5


def test_what_is_torn_is_none() -> None:
    """Two cells are read one after the other: a number may seem to go back."""
    before = sample(worker(requests=10, busy_ns=2 * SECOND, histograms={"app": times(b3=10)}))
    after = sample(
        worker(requests=9, busy_ns=SECOND, histograms={"app": times(b3=9)}), now=11, cpu={1: 1.0}
    )
    found = document(after, before)
    assert found["rates"]["requests"] == 0 and found["rates"]["utilisation"] == 0
    assert found["rates"]["times"]["app"] == {"count": 0}
    assert "cpu" not in found["rates"]
    # No time between two looks is no interval.
    assert "rates" not in document(before, before)


def test_what_nobody_tells_is_absent() -> None:
    silent = worker(
        room=None, running=None, busy_ns=None, queued=None, connections=None, requests=None,
        own_requests=None, responses=None, bytes_in=None, bytes_out=None, events={}, histograms={},
        booted_ns=None,
    )  # fmt: skip
    gone = {**worker(1, requests=5), "alive": False}
    found = document(sample(silent, gone), sample(silent, gone, now=9))
    first, second = found["workers"]
    assert first["state"] == "booting" and second["state"] == "gone"
    assert not {"requests", "running", "queued", "pss", "rss", "boot_time"} & set(first)
    assert not {"pid", "age", "current"} & set(second) and second["requests"] == 5
    assert "running" not in found["totals"] and found["totals"]["requests"] == 5
    VALIDATOR.validate(json.loads(as_json(found)))
    text = as_text(found)
    assert "booting" in text and "1 slots without a worker, which had 5 requests" in text


def test_troubles_are_told_in_red() -> None:
    bad = sample(worker(), reloads=2, reload_failures=1, reload_failed=1, back_off=1)
    text = as_text(document(bad), colour=True)
    assert "\x1b[31mthe last reload failed\x1b[0m" in text
    assert "forked less often" in text and "reloads   2, 1 failed" in text
    assert "\x1b" not in as_text(document(bad))


def test_lines_are_cut_to_the_terminal() -> None:
    it = request(b"/" + b"x" * 300)
    text = as_text(document(sample(worker(), running={1: [it]})), width=60)
    assert max(len(line) for line in text.split("\n")[6:]) <= 60


NASTY = (b"/\x1b[2J", b"/[bold]x[/bold]", b"/\x9b31m", b"/a\r\nb", b"/\xe2\x80\xae")


@pytest.mark.parametrize("path", NASTY)
def test_texts_of_clients_are_printable(path: bytes) -> None:
    it = request(path, peer=path, request_id=path)
    found = document(sample(worker(), running={1: [it]}))
    text = as_text(found)
    assert all(line.isprintable() for line in text.split("\n")), text
    assert all(cell.isprintable() for cell in rows.requests(found["workers"][0])[0])
    assert rows.oldest(found["workers"][0]).isprintable()
    # JSON has its own escapes.
    (current,) = json.loads(as_json(found))["workers"][0]["current"]
    assert current["path"].encode("latin-1") == path


def test_order() -> None:
    column = {it.title: it for it in rows.COLUMNS}
    workers = document(
        sample(
            worker(0, running=1),
            worker(1, running=3),
            worker(2, running=None),
            worker(3, running=3),
            {**worker(4), "alive": False},
            running={1: [request(age=2)], 2: [request(age=9), request(age=1)]},
        )
    )["workers"]

    def order(title: str, reverse: bool = False) -> list[int]:
        return [it["slot"] for it in rows.ordered(workers, column[title], reverse)]

    assert order("SLOT") == [0, 1, 2, 3] and order("SLOT", True) == [3, 2, 1, 0]
    # The busiest first; who does not tell comes last, whichever way round.
    assert order("BUSY") == [1, 3, 0, 2] and order("BUSY", True) == [0, 1, 3, 2]
    assert order("REQUEST")[:2] == [1, 0]
    assert rows.oldest(workers[1]) == "9.00s GET / (+1)"


def test_numbers_are_short() -> None:
    spans = [words.duration(it) for it in (None, 0.00005, 0.0012, 0.02, 1.5, 75, 3700)]
    assert spans == ["-", "50µs", "1.2ms", "20ms", "1.50s", "75.0s", "1:01:40"]
    assert [words.since(it) for it in (5, 65, 3665, 90_000)] == [
        "5s",
        "1:05",
        "1:01:05",
        "1d 01:00",
    ]
    assert [words.size(it) for it in (0, 999, 2048, 99 << 20, 300 << 20, 5 << 40)] == [
        "0", "999", "2.0K", "99.0M", "300M", "5.0T",
    ]  # fmt: skip
    assert [words.rate(it) for it in (0, 0.31, 12.4, 12345)] == ["0", "0.3", "12", "12 345"]
