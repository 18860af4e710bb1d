"""`request_timeout` in the workers of gevent and Tornado; worker classes that can not keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.overdue import TIMEOUT, Gates
from harness.pages import error_response
from harness.server import Spawn, spawner, thirdparty
from harness.wire import Closed

TORNADO = Path(__file__).parent / "async_apps"

COROUTINE = {"app": "torn_late:app", "env": {"PYTHONPATH": str(TORNADO)}}

Start = Callable[..., Gates]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    ours = thirdparty("rgunicorn")
    if ours is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    with spawner(tmp_path, ours) as started:
        yield started


@pytest.fixture
def start(spawn: Spawn, tmp_path: Path) -> Iterator[Start]:
    made: list[Gates] = []

    def started(worker: str, **fields: object) -> Gates:
        directory = tmp_path / f"gates{len(made)}"
        directory.mkdir()
        settings = {"request_timeout": TIMEOUT, "worker_class": worker}
        made.append(Gates(spawn, directory, settings=settings, **fields))
        return made[-1]

    yield started
    for gates in made:
        for entered in gates.directory.glob("*.in"):
            gates.open(entered.stem)


def answered(gates: Gates, path: str = "/") -> bytes:
    with gates.ask(path) as wire:
        return wire.response().body


def replaced(gates: Gates, pid: int) -> None:
    gates.until(lambda: pid not in gates.server.workers(), "the stuck worker to be replaced")
    assert answered(gates) == b"ok"


@pytest.mark.parametrize("worker", ["gevent", "tornado"])
def test_stuck_in_c_with_the_gil(worker: str, start: Start) -> None:
    gates = start(worker)
    (pid,) = gates.server.workers()
    assert answered(gates) == b"ok"
    with gates.ask("/c") as wire:
        assert wire.read_to_close() == error_response(504, "Gateway Timeout")
    gates.wait_report("/c")
    assert "in stuck_in_c" in gates.log()
    replaced(gates, pid)
    assert gates.access_lines("/c") == ["504"]


def test_a_greenlet_that_waits_is_ended(start: Start) -> None:
    """Its stack is shown; others in the same worker go on to their end."""
    gates = start("gevent")
    (pid,) = gates.server.workers()
    with gates.ask("/extend/b") as other, gates.ask("/stuck/a") as stuck:
        gates.wait("b.in")
        assert stuck.read_to_close() == error_response(504, "Gateway Timeout")
        gates.wait_report("/stuck/a")
        log = gates.server.wait_log("Ending the greenlet of GET '/stuck/a'")
        assert "in stuck_in_python" in log
        gates.until(lambda: len(gates.server.workers()) == 2, "a successor")
        gates.open("b")
        assert other.response().status == 200
    replaced(gates, pid)
    assert not (gates.directory / "a.out").exists()
    assert gates.access_lines("/stuck/a") == ["504"]
    assert "Traceback" not in gates.log()


@pytest.mark.parametrize("worker", ["gevent", "tornado"])
def test_over_tls_the_loop_says_the_page(worker: str, start: Start) -> None:
    """The greenlet, or the coroutine, waits; the loop does not."""
    fields = COROUTINE if worker == "tornado" else {}
    gates = start(worker, mode=Mode(transport="tls"), **fields)
    with gates.ask("/stuck/a") as wire:
        # With TLS's goodbye: without it the client's library calls it an attack.
        assert wire.read_to_close() == error_response(504, "Gateway Timeout")
    assert "the client was sent 504" in gates.wait_report("/stuck/a")
    assert gates.access_lines("/stuck/a") == ["504"]
    gates.open("a")
    assert "Traceback" not in gates.log()


@pytest.mark.parametrize("worker", ["gevent", "tornado"])
def test_over_tls_a_loop_that_is_stuck_says_nothing(worker: str, start: Start) -> None:
    gates = start(worker, mode=Mode(transport="tls"))
    (pid,) = gates.server.workers()
    with gates.ask("/c") as wire:
        with pytest.raises((Closed, OSError)):
            wire.response()
        assert not wire.received
    assert "cut, for it could not be sent 504" in gates.wait_report("/c")
    replaced(gates, pid)


@pytest.mark.parametrize("worker", ["gevent", "tornado"])
def test_deadline_moves(worker: str, start: Start) -> None:
    gates = start(worker)
    assert answered(gates, "/negative").startswith(b"a deadline in -1 s")
    with gates.ask("/extend/b") as extended:
        gates.wait("b.in")
        if worker == "gevent":
            # As long as another one takes to run into its limit.
            with gates.ask("/stuck/c") as wire:
                assert wire.response().status == 504
        gates.open("b")
        assert extended.response().body == b"[True, True, True]"


@pytest.mark.parametrize("app", ["WSGI", "coroutine"])
def test_tornado_has_nothing_to_add(app: str, start: Start) -> None:
    """A response that comes late goes nowhere, and does no harm."""
    gates = start("tornado", **({} if app == "WSGI" else COROUTINE))
    with gates.ask("/stuck/a") as wire:
        assert wire.response().status == 504
        gates.wait_report("/stuck/a")
        gates.open("a")
        assert wire.read_to_close() == b""
    gates.wait("a.out")
    assert gates.access_lines("/stuck/a") == ["504"]
    assert "Traceback" not in gates.log()


def test_gevent_streams_are_cut(start: Start) -> None:
    gates = start("gevent")
    with gates.ask("/stream/a") as wire, pytest.raises(Closed):
        wire.response()
    assert "cut in the middle" in gates.wait_report("/stream/a")
    assert gates.access_lines("/stream/a") == ["504"]


@pytest.mark.parametrize(
    "worker", ["gevent_pywsgi", "asgi", "uvicorn_worker.UvicornWorker", "aiohttp.GunicornWebWorker"]
)
def test_who_can_not_keep_it_refuses(worker: str, spawn: Spawn) -> None:
    settings = {"request_timeout": 5, "log_slow": 1, "worker_class": worker}
    server = spawn("deadlines:app", ready=False, settings=settings)
    assert server.wait_exit() == 1
    for line in ("request_timeout = 5 can not be used with ", "log_slow = 1 can not be used with "):
        assert line in server.log()
    assert "Traceback" not in server.log()
