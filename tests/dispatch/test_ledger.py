"""The judge of the dispatch tests finds the waits that were made up for it, and no others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.ledger import Ledger, Run, Wait, waits


def run(name: str, began: float, ended: float, pid: int = 1) -> Run:
    return Run(name, pid, "t", began, ended)


def found(sent: dict[str, float], runs: list[Run], slots: int) -> dict[str, float]:
    return {wait.id: wait.seconds for wait in waits(sent, runs, slots, tolerance=0.25)}


def test_a_wait_behind_a_busy_worker_while_another_is_idle() -> None:
    """Four at once on four workers; two went to the same one."""
    runs = [run("a", 0, 0.5), run("b", 0, 0.5), run("c", 0, 0.5), run("d", 0.5, 1)]
    assert found(dict.fromkeys("abcd", 0.0), runs, slots=4) == {"d": 0.5}


def test_nobody_waits_when_all_begin_at_once() -> None:
    runs = [run(name, 0.01 * i, 0.5 + 0.01 * i) for i, name in enumerate("abcd")]
    assert found(dict.fromkeys("abcd", 0.0), runs, slots=4) == {}


def test_to_wait_while_all_are_busy_is_no_fault() -> None:
    runs = [run("a", 0, 0.5), run("b", 0, 0.5), run("c", 0.5, 1), run("d", 0.5, 1)]
    assert found(dict.fromkeys("abcd", 0.0), runs, slots=2) == {}


def test_one_that_waits_on_when_a_slot_has_come_free() -> None:
    runs = [run("a", 0, 0.5), run("b", 0, 1.5), run("c", 1.5, 2)]
    assert found(dict.fromkeys("abc", 0.0), runs, slots=2) == {"c": 1.0}


def test_a_free_time_that_others_come_and_go_in_is_one() -> None:
    """Two of four slots are free throughout, whoever has the others."""
    shorts = [run(f"s{i}", 0.1 * i, 0.1 * i + 0.1) for i in range(10)]
    runs = [run("long", 0, 1), *shorts, run("late", 1, 1.1)]
    assert found({"late": 0.0}, runs, slots=4) == pytest.approx({"late": 1.0})


def test_short_free_times_do_not_add_up() -> None:
    runs = [run(f"s{i}", 0.3 * i + 0.2, 0.3 * i + 0.3) for i in range(10)]
    assert found({"s9": 0.0}, runs, slots=1) == {}


def test_it_agrees_with_counting_second_by_second() -> None:
    dice = random.Random(3)
    for _ in range(500):
        runs = []
        for i in range(dice.randrange(1, 8)):
            began = dice.randrange(12)
            runs.append(run(f"r{i}", began, began + dice.randrange(1, 6)))
        slots = dice.randrange(1, 4)
        last = max(runs, key=lambda one: one.began)
        start = dice.randrange(int(last.began) + 1)
        longest = streak = 0
        for second in range(start, int(last.began)):
            running = sum(one.began <= second < one.ended for one in runs)
            streak = streak + 1 if running < slots else 0
            longest = max(longest, streak)
        expected = {last.id: longest} if longest else {}
        assert found({last.id: start}, runs, slots) == expected


def test_only_the_time_after_it_was_sent_counts() -> None:
    runs = [run("a", 0, 1), run("b", 9, 10), run("c", 9.1, 9.2)]
    assert found({"b": 8.9, "c": 9.05}, runs, slots=1) == {}


def test_what_runs_on_occupies_its_slot() -> None:
    held = [Run("x", 1, "t", 0), Run("y", 2, "t", 0)]
    late = run("late", 5, 6)
    assert found({"late": 0.0}, [*held, late], slots=2) == {}
    assert found({"late": 0.0}, [*held, late], slots=3) == {"late": 5.0}


def test_the_tolerance() -> None:
    assert found({"a": 0.0}, [run("a", 0.25, 1)], slots=1) == {}
    assert found({"a": 0.0}, [run("a", 0.26, 1)], slots=1) == {"a": 0.26}


def test_a_request_that_never_began_is_an_error() -> None:
    with pytest.raises(KeyError):
        waits({"a": 0.0}, [], 1, 0.25)


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    assert ledger.runs() == []
    path.write_text(
        "loaded 7\nbegan a 7 gthread-0 1.5\nloaded 8\n"
        "began b 8 MainThread 2.0\nended a 7 gthread-0 3.0\n"
    )
    assert ledger.loaded() == {7, 8}
    assert ledger.run("a") == Run("a", 7, "gthread-0", 1.5, 3.0)
    assert ledger.run("b") == Run("b", 8, "MainThread", 2.0)
    assert ledger.run("c") is None
    assert waits({"b": 0.0}, ledger.runs(), 2, 0.25) == [Wait("b", 2.0)]


def test_a_request_that_ran_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("began a 7 t 1.5\nbegan a 8 t 2.0\n")
    with pytest.raises(AssertionError, match="a ran twice"):
        Ledger(path).runs()
