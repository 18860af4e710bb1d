"""`request_timeout`: M6 of the scenarios. A request that takes too long is answered, named, shown
with its stack, and its worker is replaced."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.overdue import TIMEOUT, Gates
from harness.pages import error_response
from harness.server import Server, Spawn
from harness.wire import Closed, Wire, get

IN_PYTHON = {
    "sync": """
from gunicorn.workers.sync import SyncWorker
class Mine(SyncWorker):
    def handle_request(self, *args):
        return super().handle_request(*args)
worker_class = Mine
""",
    "gthread": """
from gunicorn.workers.gthread import ThreadWorker
class Mine(ThreadWorker):
    def handle_request(self, *args):
        return super().handle_request(*args)
worker_class = Mine
threads = 4
""",
}

NATIVE: dict[str, dict[str, object]] = {
    "sync": {"mode": Mode("sync")},
    "gthread": {"mode": Mode("gthread")},
}
LOOPS: dict[str, dict[str, object]] = {
    **NATIVE,
    "sync in Python": {"config": IN_PYTHON["sync"]},
    "gthread in Python": {"config": IN_PYTHON["gthread"]},
}

Start = Callable[..., Gates]


@pytest.fixture
def start(spawn: Spawn, tmp_path: Path) -> Iterator[Start]:
    """A server with `request_timeout`, ready."""
    made: list[Gates] = []

    def started(settings: dict[str, object] | None = None, **fields: object) -> Gates:
        directory = tmp_path / f"gates{len(made)}"
        directory.mkdir()
        settings = {"request_timeout": TIMEOUT, **(settings or {})}
        made.append(Gates(spawn, directory, settings=settings, **fields))
        return made[-1]

    yield started
    # What still waits ends with it.
    for gates in made:
        for entered in gates.directory.glob("*.in"):
            gates.open(entered.stem)


@pytest.fixture(params=LOOPS)
def gates(request: pytest.FixtureRequest, start: Start) -> Gates:
    """One for each loop."""
    return start(**LOOPS[request.param])


@pytest.fixture(params=["gthread", "sync in Python"])
def either(request: pytest.FixtureRequest, start: Start) -> Gates:
    """One in Rust, one in Python."""
    return start(**LOOPS[request.param])


@pytest.fixture(params=NATIVE)
def native(request: pytest.FixtureRequest, start: Start) -> Gates:
    return start(**NATIVE[request.param])


def answered_in_time(gates: Gates, path: str = "/") -> None:
    with gates.ask(path) as wire:
        assert wire.response().body == b"ok"


def test_stuck_in_python(gates: Gates) -> None:
    (pid,) = gates.server.workers()
    answered_in_time(gates)
    with gates.ask("/stuck/a?secret=1") as wire:
        assert wire.read_to_close() == error_response(504, "Gateway Timeout")
    line = gates.wait_report("/stuck/a")
    assert f"(pid:{pid})" in line and "the client was sent 504" in line
    assert "secret" not in line
    # The thread that is named is the first that is shown, where it is.
    (thread,) = re.findall(r"in thread (0x\w+)", line)
    after = gates.log().partition(line)[2].splitlines()
    assert after[1].startswith(f"  Thread {thread} "), after[1]
    # It may be inside of what looks for the file.
    assert "in stuck_in_python" in "".join(after[2:9])
    # The loop still serves, or its successor does.
    answered_in_time(gates)
    gates.until(lambda: pid not in gates.server.workers(), "the stuck worker to be replaced")
    answered_in_time(gates)
    assert gates.access_lines("/stuck/a?secret=1") == ["504"]
    assert len(gates.reports("/stuck/a")) == 1
    assert "out of memory" not in gates.log()


def test_stuck_in_c_with_the_gil(native: Gates) -> None:
    (pid,) = native.server.workers()
    with native.ask("/c") as wire:
        assert wire.read_to_close() == error_response(504, "Gateway Timeout")
    native.wait_report("/c")
    assert "in stuck_in_c" in native.log()
    native.until(lambda: pid not in native.server.workers(), "the stuck worker to be replaced")
    answered_in_time(native)
    assert native.access_lines("/c") == ["504"]


def test_comes_back_late(gates: Gates) -> None:
    """What the application says then, nobody hears; there is no second line."""
    with gates.ask("/late/a") as wire:
        assert wire.response().status == 504
        gates.wait_report("/late/a")
        gates.open("a")
        assert wire.read_to_close() == b""
    raised = gates.directory / "a.raised"
    gates.until(lambda: raised.exists() and raised.read_text(), "the application to be told")
    assert raised.read_text() == "BrokenPipeError"
    answered_in_time(gates)
    assert gates.access_lines("/late/a") == ["504"]
    assert "Error handling request" not in gates.log()


def test_fails_late(either: Gates) -> None:
    """The traceback is told, in one error line and no access line."""
    with either.ask("/fails/a") as wire:
        assert wire.response().status == 504
    either.wait_report("/fails/a")
    either.open("a")
    either.server.wait_log("RuntimeError: after all this time")
    answered_in_time(either)
    assert either.access_lines("/fails/a") == ["504"]


def test_streams_are_cut(gates: Gates) -> None:
    with gates.ask("/stream/a") as wire:
        with pytest.raises(Closed):
            wire.response()
        assert b"beginning" in wire.received and b"504" not in wire.received
    assert "cut in the middle" in gates.wait_report("/stream/a")
    gates.open("a")
    answered_in_time(gates)
    assert gates.access_lines("/stream/a") == ["504"]


def test_no_page_between_the_words_of_the_application(either: Gates) -> None:
    with either.ask("/take/a") as wire:
        assert wire.read_to_close() == b"my own words"
    assert "cut in the middle" in either.wait_report("/take/a")


def test_deadline_moves(gates: Gates) -> None:
    """Nearer, away, and to none at all."""
    with gates.ask("/shorten/a") as wire:
        assert wire.response().status == 504
    gates.wait_report("/shorten/a")
    gates.open("a")
    with gates.ask("/extend/b") as extended:
        gates.wait("b.in")
        # As long as another one takes to run into its limit.
        if "gthread" in gates.log():
            with gates.ask("/stuck/c") as wire:
                assert wire.response().status == 504
        gates.open("b")
        assert ast.literal_eval(extended.response().body.decode()) == [True, True, True]
    gates.until(lambda: gates.access_lines("/extend/b"), "the access line")
    assert gates.access_lines("/extend/b") == ["200"]
    with gates.ask("/negative") as wire:
        assert b"a deadline in -1 s" in wire.response().body


def test_others_finish(start: Start) -> None:
    """A thread is stuck; the other goes on, and the worker leaves when that is done, and no
    later."""
    gates = start(**NATIVE["gthread"])
    (pid,) = gates.server.workers()
    with gates.ask("/extend/b") as other, gates.ask("/stuck/a") as stuck:
        gates.wait("b.in")
        assert stuck.response().status == 504
        gates.until(lambda: len(gates.server.workers()) == 2, "a successor")
        assert pid in gates.server.workers()
        gates.open("b")
        assert other.response().status == 200
    gates.until(lambda: pid not in gates.server.workers(), "the old worker to go")
    assert f"Ending worker (pid:{pid}): its requests are past request_timeout" in gates.log()
    assert not (gates.directory / "a.out").exists()


def test_a_slow_reader_gets_all_of_its_response(start: Start) -> None:
    """A response that is still on its way keeps a worker, whose requests are stuck, from its
    end."""
    gates = start(**NATIVE["gthread"])
    (pid,) = gates.server.workers()
    with Wire(gates.server.address, receive_buffer=4096) as reader:
        reader.send(get("/big"))
        gates.until(lambda: gates.access_lines("/big"), "the application to be done with it")
        with gates.ask("/stuck/a") as stuck:
            assert stuck.response().status == 504
        gates.until(lambda: len(gates.server.workers()) == 2, "a successor")
        gates.server.wait_log("[INFO] Booting worker with pid:", 2)
        answered_in_time(gates)
        assert len(reader.response().body) == 8 << 20
    gates.until(lambda: pid not in gates.server.workers(), "the old worker to go")


def test_a_stop_does_not_wait_for_what_nobody_waits_for(native: Gates) -> None:
    with native.ask("/c") as wire:
        assert wire.response().status == 504
    native.wait_report("/c")
    native.server.assert_clean_exit()


@pytest.mark.parametrize("kind", NATIVE)
def test_over_tls_the_page_is_encrypted(kind: str, start: Start) -> None:
    """By another thread, for the one that is stuck lets others have the interpreter."""
    gates = start(mode=Mode(kind, "tls"))
    with gates.ask("/stuck/a") as wire:
        # TLS's goodbye is there: without it the client's library calls it an attack.
        assert wire.read_to_close() == error_response(504, "Gateway Timeout")
    assert "the client was sent 504" in gates.wait_report("/stuck/a")
    assert gates.access_lines("/stuck/a") == ["504"]
    with gates.ask("/late/b") as wire:
        assert wire.response().status == 504
        gates.open("b")
        assert wire.read_to_close() == b""
    found = re.search(r"\(pid:(\d+)\)", gates.wait_report("/late/b"))
    # Nobody waits for a worker that has such requests only.
    raised, worker = gates.directory / "b.raised", Path(f"/proc/{found and found[1]}")
    gates.until(lambda: raised.exists() or not worker.exists(), "it to find its client gone")
    assert "Traceback" not in gates.log()


@pytest.mark.parametrize("kind", NATIVE)
def test_who_keeps_the_gil_cuts_a_tls_connection(kind: str, start: Start) -> None:
    """Encryption is Python's `ssl`, which nobody else can use meanwhile."""
    gates = start(mode=Mode(kind, "tls"))
    with gates.ask("/c") as wire:
        with pytest.raises((Closed, OSError)):
            wire.response()
        assert not wire.received
    assert "cut, for it could not be sent 504" in gates.wait_report("/c")
    assert gates.access_lines("/c") == ["504"]
    assert "in stuck_in_c" in gates.log()


def test_over_tls_what_has_begun_is_cut(start: Start) -> None:
    gates = start(mode=Mode("gthread", "tls"))
    with gates.ask("/stream/a") as wire, pytest.raises((Closed, OSError)):
        wire.response()
    assert b"beginning" in wire.received
    assert "cut in the middle" in gates.wait_report("/stream/a")


@pytest.mark.parametrize("loop", LOOPS)
def test_off_it_is_not_there(loop: str, spawn: Spawn, tmp_path: Path) -> None:
    gates = Gates(spawn, tmp_path, **LOOPS[loop])
    assert facts(gates.server) == ([], False)


@pytest.mark.parametrize("loop", ["sync", "gthread in Python"])
def test_on_it_is(loop: str, start: Start) -> None:
    gates = start(**LOOPS[loop])
    assert facts(gates.server) == (["rgunicorn.deadline"], True)


def facts(server: Server) -> tuple[list[str], bool]:
    """Keys of the environ that have to do with it, and whether there is a thread that looks."""
    with Wire(server.address) as wire:
        keys, threads, _ = ast.literal_eval(wire.send(get("/facts")).response().body.decode())
    return keys, "rgunicorn-time" in threads
