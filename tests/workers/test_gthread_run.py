"""`ThreadWorker.run` and its threads with a crew of the test's own: what no server can be made to
do on purpose."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rgunicorn.workers import gthread
from rgunicorn.workers.base import Worker

pytestmark = pytest.mark.ours("our own class")


class Crew:
    """Threads work, and the main thread watches, until somebody says to leave."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.left = threading.Event()
        self.names: list[str] = []

    def work(self) -> None:
        self.names.append(threading.current_thread().name)
        self.left.wait()

    def watch(self) -> None:
        self.left.wait()

    def leave(self) -> None:
        self.left.set()


def worker(threads: int = 3) -> Any:
    cfg = SimpleNamespace(
        threads=threads, worker_connections=10, keepalive=2, max_requests=0, tmp_upload_dir=None
    )
    found = gthread.ThreadWorker.__new__(gthread.ThreadWorker)
    found.cfg = cfg
    found.wsgi = lambda environ, start_response: []
    found._failure = None
    found.log = None
    return found


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Crew]], list[Crew]]:
    """Puts a class in the place of the core's; gives the list of what will be made of it."""

    def replace(kind: type[Crew]) -> list[Crew]:
        made: list[Crew] = []

        def make(worker: Any) -> Crew:
            made.append(kind(worker))
            return made[-1]

        monkeypatch.setattr(gthread._core, "Crew", make, raising=False)
        return made

    return replace


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("gthread-"):
            thread.join(20)
            assert not thread.is_alive()


def test_threads_work_and_the_main_thread_watches(crews: Any) -> None:
    class Watched(Crew):
        def watch(self) -> None:
            assert threading.current_thread() is threading.main_thread()
            while len(self.names) < 3:
                threading.Event().wait(0.01)

    made = crews(Watched)
    worker().run()
    wait_for_threads()
    (crew,) = made
    assert sorted(crew.names) == ["gthread-1", "gthread-2", "gthread-3"]
    assert crew.left.is_set()


def test_what_a_signal_handler_raises_makes_the_threads_leave(crews: Any) -> None:
    class Told(Crew):
        def watch(self) -> None:
            raise SystemExit(7)

    made = crews(Told)
    with pytest.raises(SystemExit) as caught:
        worker().run()
    assert caught.value.code == 7
    wait_for_threads()
    assert made[0].left.is_set()


def test_a_thread_that_fails_takes_the_worker_along(crews: Any) -> None:
    class Failing(Crew):
        def work(self) -> None:
            if threading.current_thread().name == "gthread-2":
                raise OSError(24, "Too many open files")
            super().work()

    crews(Failing)
    with pytest.raises(OSError, match="Too many open files"):
        worker().run()
    wait_for_threads()


def test_a_thread_that_can_not_be_started(crews: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = crews(Crew)
    start = threading.Thread.start

    def limited(self: threading.Thread) -> None:
        if self.name == "gthread-2":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        worker().run()
    wait_for_threads()
    assert made[0].left.is_set()


@pytest.mark.parametrize(
    ("connections", "threads", "keepalive", "warned"),
    [(2, 2, 2, 1), (1, 2, 2, 1), (3, 2, 2, 0), (2, 2, 0, 0)],
)
def test_check_config(
    connections: int, threads: int, keepalive: int, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    cfg: Any = SimpleNamespace(worker_connections=connections, threads=threads, keepalive=keepalive)
    log: Any = logging.getLogger("test")
    gthread.ThreadWorker.check_config(cfg, log)
    assert [record.getMessage() for record in caplog.records] == warned * [
        "No keepalived connections can be handled. Check the number of worker connections and "
        "threads."
    ]


def test_the_numbers_that_others_read() -> None:
    class Parsed(gthread.ThreadWorker):
        """Without the heartbeat that a real one makes."""

    def init(self: Worker, cfg: Any) -> None:
        self.cfg = cfg

    cfg = SimpleNamespace(worker_connections=10, threads=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "__init__", init)
        made = Parsed(cfg)  # type: ignore[arg-type]
    assert (made.worker_connections, made.max_keepalived) == (10, 7)


@pytest.mark.parametrize("graceful", [False, True])
def test_tconn(graceful: bool) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        conn = gthread.TConn(SimpleNamespace(keepalive=5), ours, "client", "server")  # type: ignore[arg-type]
        assert (conn.sock, conn.client, conn.server, conn.timeout) == (
            ours,
            "client",
            "server",
            None,
        )
        assert ours.gettimeout() == 0
        conn.set_timeout()
        first = conn.timeout
        conn.set_timeout()
        assert first is not None and conn.timeout is not None and conn.timeout >= first
        conn.close(graceful=graceful)
        assert theirs.recv(1) == b""
        # A second time is no error.
        conn.close(graceful=graceful)
