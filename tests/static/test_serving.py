"""Files beside an application: threads that are busy, access lines, slow clients, reloads."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.shift import Shift, Start, start_shift
from harness.wait import until
from harness.waiting import all_occupied
from harness.wire import Closed, Wire, get

pytestmark = pytest.mark.ours("static_map")

PLAIN = get("/static/plain.txt")


@pytest.fixture
def start(spawn: Spawn, site: Path) -> Callable[..., Shift]:
    """A server of this test's own."""

    def started(kind: Kind = kinds.SYNC_KEPT, config: str = "", **settings: object) -> Shift:
        threads = {"threads": 2} if kind is kinds.GTHREAD else {}
        base = {"workers": 1, "accesslog": "-", "static_map": f"/static={site}/www"}
        together = {**kind.settings, **threads, **base, **settings}
        return start_shift(spawn, together, config=config)

    return started


def body(shift: Shift, path: str = "/static/plain.txt") -> bytes:
    with Wire(shift.address) as wire:
        return wire.send(get(path)).response().body


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_while_all_threads_are_busy(shared: Start, kind: Kind, transport: str) -> None:
    """Also on new connections; who is for the application waits for it, and is served."""
    shift = shared(kind, transport)
    path = f"/static/plain.txt?{transport}"
    line = f'"GET {path} HTTP/1.1" 200 10 '
    with Wire(shift.address) as kept, Wire(shift.address) as apps, Wire(shift.address) as silent:
        if kind.keeps_alive:
            kept.send(get("/hello")).response()
        # It has come, and says nothing yet.
        shift.settle()
        with all_occupied(shift):
            assert silent.send(get(path)).response().body == b"0123456789"
            if kind.keeps_alive:
                assert kept.send(get(path)).response().body == b"0123456789"
            apps.send(get("/hello"))
            for _ in range(3):
                assert body(shift, path) == b"0123456789"
        assert apps.response().header("X-Worker") is not None
        count = 4 + kind.keeps_alive
        shift.server.wait_log(line, count)
        assert shift.server.log().count(line) == count


def test_over_tls_while_all_threads_are_busy(shared: Start) -> None:
    """On connections that are there: an encrypted one waits outside until somebody is free."""
    shift = shared(kinds.GTHREAD, "tls")
    with Wire(shift.address) as kept:
        assert kept.send(PLAIN).response().status == 200
        with all_occupied(shift):
            assert kept.send(PLAIN).response().body == b"0123456789"


LOGGER = """
from gunicorn.glogging import Logger

class logger_class(Logger):
    def access(self, resp, req, environ, request_time):
        words = (resp.status, resp.sent, req.method, req.path, environ["PATH_INFO"])
        more = (environ["HTTP_X_ID"], dict(resp.headers)["Content-Length"], request_time)
        self.error("%s %s %s %s %s %s %s %s", *words, *more)
"""


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_a_logger_of_ones_own_sees_them(start: Callable[..., Shift], kind: Kind) -> None:
    shift = start(kind, LOGGER)
    with Wire(shift.address) as wire:
        wire.send(get("/static/x.css?v=1", "X-Id: mine", "Range: bytes=0-6")).response()
    shift.server.wait_log("206 Partial Content 7 GET /static/x.css /static/x.css mine 7 0:00:0")


def test_hooks_and_limits_do_not_see_them(start: Callable[..., Shift]) -> None:
    hooks = """
def pre_request(worker, req):
    worker.log.error("pre %s", req.path)

def post_request(worker, req, environ, resp):
    worker.log.error("post %s", req.path)
"""
    shift = start(config=hooks, max_requests=3)
    pids = shift.workers
    with Wire(shift.address) as wire:
        for _ in range(10):
            assert wire.send(PLAIN).response().body == b"0123456789"
        assert wire.send(get("/hello")).response().status == 200
    log = shift.server.wait_log("post /hello")
    assert "/static/plain.txt HTTP" in log
    assert "pre /static" not in log and "post /static" not in log
    assert shift.workers == pids


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_a_slow_client_keeps_nobody_waiting(start: Callable[..., Shift], kind: Kind) -> None:
    shift = start(kind)
    with Wire(shift.address, receive_buffer=4096) as slow:
        slow.send(get("/static/big.bin"))
        head = slow.read_until(b"\r\n\r\n")
        assert b" 200 OK" in head
        for _ in range(5):
            assert body(shift) == b"0123456789"
            assert body(shift, "/hello") != b""
        # It gets all of it, also when the server is told to stop meanwhile.
        shift.server.send_signal(signal.SIGTERM)
        rest = slow.read_to_close() if not kind.keeps_alive else slow._exactly(3_000_001)
    assert len(rest) == 3_000_001
    assert shift.server.wait_exit() == 0


def test_a_client_that_takes_nothing_is_given_up(start: Callable[..., Shift]) -> None:
    shift = start(client_write_timeout=0.2)
    with Wire(shift.address, receive_buffer=4096) as slow:
        slow.send(get("/static/big.bin")).read_until(b"\r\n\r\n")
        shift.server.wait_log("big.bin")
        pid = shift.workers[0]
        names = Path(f"/proc/{pid}/fd")

        def holds() -> bool:
            links = (os.readlink(entry) for entry in names.iterdir() if entry.is_symlink())
            return any(link.endswith("big.bin") for link in links)

        until(lambda: not holds(), "the file to be closed", show=shift.server.log)


def test_a_file_that_becomes_shorter_ends_the_connection(
    start: Callable[..., Shift], site: Path
) -> None:
    path = site / "www" / "shrinks"
    path.write_bytes(b"x" * 8_000_000)
    shift = start()
    try:
        with Wire(shift.address, receive_buffer=4096) as wire:
            wire.send(get("/static/shrinks")).read_until(b"\r\n\r\n")
            os.truncate(path, 10)
            with pytest.raises(Closed):
                wire._exactly(8_000_000)
    finally:
        path.unlink()
    assert body(shift) == b"0123456789"


def test_a_client_that_never_stops_asking_holds_nobody_up(start: Callable[..., Shift]) -> None:
    """It sends more at once than is answered in one go, and goes on for as long as others ask."""
    shift = start()
    over = threading.Event()

    def flood() -> None:
        with Wire(shift.address) as wire:
            reader = threading.Thread(target=drain, args=(wire.sock,))
            reader.start()
            while not over.is_set():
                wire.send(PLAIN * 200)
            wire.sock.shutdown(socket.SHUT_WR)
            reader.join()

    def drain(sock: socket.socket) -> None:
        while sock.recv(1 << 16):
            pass

    client = threading.Thread(target=flood)
    client.start()
    try:
        for _ in range(20):
            assert body(shift, "/hello") != b""
    finally:
        over.set()
        client.join()
    assert "access lines left out" not in shift.server.assert_clean_exit()


def test_a_release_that_is_switched_by_a_link(start: Callable[..., Shift], tmp_path: Path) -> None:
    """Files and code change together, with the reload."""
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "x.txt").write_text(release)
    current = tmp_path / "current"
    current.symlink_to("1")
    shift = start(kinds.SYNC, static_map=[f"/s={current}"])
    assert body(shift, "/s/x.txt") == b"1"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(current)
    assert body(shift, "/s/x.txt") == b"1"
    (before,) = shift.workers
    shift.server.send_signal(signal.SIGHUP)
    until(lambda: before not in shift.workers, "the reload", show=shift.server.log)
    assert body(shift, "/s/x.txt") == b"2"
    # One that can't be served from leaves everything as it is.
    current.unlink()
    (after,) = shift.workers
    shift.server.send_signal(signal.SIGHUP)
    shift.server.wait_log(f"{current} does not exist. Create it")
    assert body(shift, "/s/x.txt") == b"2"
    assert shift.workers == [after]


def test_a_directory_that_is_made_anew_in_its_place(
    start: Callable[..., Shift], tmp_path: Path
) -> None:
    (tmp_path / "s").mkdir()
    shift = start(kinds.GTHREAD, static_map=[f"/s={tmp_path}/s"])
    assert body(shift, "/s/x.txt") != b"new"
    (tmp_path / "s").rmdir()
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "x.txt").write_text("new")
    assert body(shift, "/s/x.txt") == b"new"


SUBCLASS = """
from gunicorn.workers.{module} import {name}

class worker_class({name}):
    def handle_request(self, *args):
        self.log.error("mine")
        return super().handle_request(*args)
"""


@pytest.mark.parametrize(
    ("module", "name", "threads"), [("sync", "SyncWorker", 1), ("gthread", "ThreadWorker", 2)]
)
def test_in_a_loop_in_python(
    start: Callable[..., Shift], site: Path, module: str, name: str, threads: int
) -> None:
    """The same answers, by way of hooks and `wsgi.file_wrapper`."""
    config = SUBCLASS.format(module=module, name=name)
    shift = start(kinds.SYNC, config, worker_class=None, threads=threads)
    whole = (site / "www" / "big.bin").read_bytes()
    assert body(shift, "/static/big.bin") == whole
    assert body(shift, "/hello") != b""
    cases = [
        (("/static/big.bin", "Range: bytes=100000-299999"), 206, whole[100_000:300_000]),
        (("/static/plain.txt", "Range: bytes=2-3"), 206, b"23"),
        (("/static/plain.txt", "If-None-Match: *"), 304, b""),
        (("/static/plain.txt", "Range: bytes=99-"), 416, b"Range Not Satisfiable\n"),
        (("/static/x.css", "Accept-Encoding: br"), 200, b"not really brotli"),
    ]
    for request, status, content in cases:
        with Wire(shift.address) as wire:
            response = wire.send(get(*request)).response()
        assert (response.status, response.body) == (status, content)
    with Wire(shift.address) as wire:
        head = wire.send(get("/static/big.bin", method="HEAD")).response("HEAD")
    assert (head.status, head.header("Content-Length")) == (200, "3000001")
    assert "mine" in shift.server.log()
