"""What the soak allows of a worker that was killed, and what not: it must be able to fail."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chaos import complaints, invariants, records
from chaos.clients import Book, Burst, Request
from chaos.disturbances import Kill, Reload
from chaos.records import Line, Records
from chaos.timeline import Timeline

pytestmark = pytest.mark.ours("a unit of the soak")

PID = 41
HANDS = 2


class Run:
    """A run of a soak, made up; all happens in one second."""

    def __init__(self, path: Path) -> None:
        self.book, self.records = Book(), Records()
        self.timeline = Timeline(path / "timeline", lambda line: None)
        self.now = time.monotonic()

    def disturbed(self, by: type[Kill] | type[Reload]) -> None:
        with self.timeline.during(by.name, "", by.excuses):
            pass

    def answered(self, name: str, status: int, pid: int = PID, *, lost: bool = True) -> None:
        """A request that the client has an answer of, and the log a line with `status`."""
        request = Request(name, "talker", "GET", "/", b"", 200, self.now, self.now + 1)
        request.outcome, request.worker = "answered", pid
        self.book.requests[name] = request
        self.line(name, status, pid, lost=lost)

    def line(self, name: str, status: int, pid: int = PID, *, lost: bool = True) -> None:
        self.records.lines[name].append(Line(name, status, 0, pid))
        if lost:
            self.records.deaths[name] = pid

    def wrong(self) -> list[str]:
        return invariants.access_lines(self.book, self.records, self.timeline, HANDS).wrong


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_an_answer_that_a_killed_worker_could_not_note(run: Run) -> None:
    run.disturbed(Kill)
    run.answered("a", 500)
    run.answered("b", 500)
    run.answered("c", 500, PID + 1)
    assert run.wrong() == []
    run.answered("d", 500)
    (said,) = run.wrong()
    assert said.startswith(f"3 answered requests of worker {PID}")


@pytest.mark.parametrize(
    ("by", "status", "lost"),
    [(Reload, 500, True), (Kill, 500, False), (Kill, 504, True), (Kill, 200, False)],
)
def test_no_other_line_is_excused(
    run: Run, by: type[Kill] | type[Reload], status: int, lost: bool
) -> None:
    run.disturbed(by)
    run.answered("a", status, lost=lost)
    assert bool(run.wrong()) == (status != 200)


def test_a_kill_right_behind_the_last_byte(run: Run) -> None:
    run.answered("a", 500)
    request = run.book.requests["a"]
    run.disturbed(Kill)
    request.sent = request.at = run.timeline.entries[0].begin - invariants.LATE / 2
    assert run.wrong() == []
    request.sent = request.at = run.timeline.entries[0].begin - invariants.LATE * 2
    assert run.wrong()


def test_nothing_is_excused_when_strict(run: Run) -> None:
    run.disturbed(Kill)
    run.timeline.strict = True
    run.answered("a", 500)
    assert run.wrong()


def test_of_one_that_another_worker_answered(run: Run) -> None:
    run.disturbed(Kill)
    run.answered("a", 500)
    run.book.requests["a"].worker = PID + 1
    assert run.wrong()


def test_wrk_which_does_not_say_which_were_answered(run: Run) -> None:
    run.disturbed(Kill)
    run.book.bursts["wrk-1"] = Burst("wrk-1", run.now, run.now + 1, 3, 4, 0, 0)
    run.line("wrk-1-a", 200, lost=False)
    run.line("wrk-1-b", 500)
    assert len(run.wrong()) == 1, "three answers, a line, and one that may have been answered"
    run.line("wrk-1-c", 500)
    assert run.wrong() == []
    run.line("wrk-1-d", 500)
    assert run.wrong() == [], "not answered"
    run.timeline.entries.clear()
    assert run.wrong()


def test_what_the_error_log_says_of_a_death() -> None:
    said = (
        "Lost request: GET /bytes/1 (id: talker-0a, from: 127.0.0.1, age: 0.001 s, phase: sending "
        f"its response, pid: {PID}): its worker "
    )
    assert records.KILLED.findall(said + "was killed by SIGKILL") == [("talker-0a", str(PID))]
    assert records.KILLED.findall(said + "exited with code 1") == [("talker-0a", str(PID))]
    assert not records.KILLED.findall(said + "timed out")
    assert not records.KILLED.findall(said + "did not leave in time, and was killed")


def test_what_nothing_explains_is_a_complaint() -> None:
    head = "[2026-11-22 07:00:00 +0000] [7] "
    fine = f"{head}[ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?\n"
    assert complaints.complaints(fine).holds
    wrong = f"{head}[ERROR] Reason: Worker failed to boot.\n"
    assert complaints.complaints(fine + wrong).wrong == ["ERROR Reason: Worker failed to boot."]
