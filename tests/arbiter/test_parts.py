"""Parts of the master that can be looked at without one."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from rgunicorn import _core, handover, systemd
from rgunicorn.arbiter import Arbiter
from rgunicorn.pidfile import Pidfile
from rgunicorn.workers import SUPPORTED_WORKERS
from rgunicorn.workers.refusal import refusal
from rgunicorn.workers.workertmp import WorkerTmp


def test_worker_tmp_by_itself():
    cfg = SimpleNamespace(worker_tmp_dir=None)
    first, second = WorkerTmp(cfg), WorkerTmp(cfg)
    assert first.slot.index != second.slot.index
    assert first.last_update() > time.monotonic() + 1e6, "as Gunicorn's file: not late yet"
    first.notify()
    assert time.monotonic() - 60 < first.last_update() <= time.monotonic()
    assert second.last_update() > time.monotonic()
    index = second.slot.index
    second.close()
    second.close()
    with pytest.raises(ValueError):
        second.last_update()
    assert WorkerTmp(cfg).slot.index == index, "the place is free again"


def test_scoreboard_is_shared_with_a_child():
    slot = _core.Scoreboard().claim(7, 3)
    assert (slot.index, slot.age, slot.heartbeat_ns) == (7, 3, None)
    if not (pid := os.fork()):
        slot.beat(12345)
        os._exit(0)
    os.waitpid(pid, 0)
    assert slot.heartbeat_ns == 12345


def test_scoreboard_has_room_for_4096():
    board = _core.Scoreboard()
    assert board.claim().index == 4095
    with pytest.raises(RuntimeError, match="4096"):
        board.claim(4096)


def test_inbox_keeps_order_and_number():
    inbox = _core.Inbox()
    for number in (21, 21, 15):
        inbox.put(number)
    inbox.put_nowait(65)
    assert inbox.wait(0) == [21, 21, 15, 65]
    assert inbox.wait(0) == []


def test_forked_child_neither_hears_nor_speaks_for_the_master():
    inbox = _core.Inbox()
    read, write = os.pipe()
    if not (pid := _core.fork(inbox)):
        inbox.put(15)
        os.write(write, repr(inbox.wait(0)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"[]"
    assert inbox.wait(0) == []
    os.close(read)
    os.close(write)


def named(name: str, *bases: type[Exception]) -> Exception:
    """An exception as `rgunicorn.http.errors` or `ssl` has it; its class's name is what counts."""
    return type(name, bases or (Exception,), {})("the <matter>")


@pytest.mark.parametrize(
    ("name", "status", "reason", "page"),
    [
        ("InvalidRequestLine", 400, "Bad Request", "Invalid Request Line 'the <matter>'"),
        ("InvalidRequestMethod", 400, "Bad Request", "Invalid Method 'the <matter>'"),
        ("InvalidHTTPVersion", 400, "Bad Request", "Invalid HTTP Version 'the <matter>'"),
        ("InvalidHeader", 400, "Bad Request", "the <matter>"),
        ("InvalidChunkSize", 400, "Bad Request", "the <matter>"),
        ("InvalidProxyLine", 400, "Bad Request", "'the <matter>'"),
        ("ForbiddenProxyRequest", 403, "Forbidden", "Request forbidden"),
        ("SSLError", 403, "Forbidden", "'the <matter>'"),
        ("LimitRequestLine", 414, "URI Too Long", "the <matter>"),
        ("ExpectationFailed", 417, "Expectation Failed", "the <matter>"),
        (
            "LimitRequestHeaders",
            431,
            "Request Header Fields Too Large",
            "Error parsing headers: 'the <matter>'",
        ),
        ("ConfigurationProblem", 500, "Internal Server Error", "the <matter>"),
        ("UnsupportedTransferCoding", 501, "Not Implemented", "the <matter>"),
    ],
)
def test_refusals(name, status, reason, page):
    assert refusal(named(name)) == (status, reason, page)
    child = named("Special", type(named(name)))
    assert refusal(child) == (status, reason, page), "subclasses are answered alike"


def test_errors_of_the_application_are_no_refusals():
    assert refusal(ValueError("x")) is None
    assert refusal(named("InvalidResponseHeader", type(named("InvalidHeader")))) is None


def test_pidfile_takes_over_from_a_predecessor_that_looks_alive(tmp_path):
    path = tmp_path / "pid"
    zombie = os.fork()
    if not zombie:
        os._exit(0)
    path.write_text(f"{zombie}\n")
    ours = Pidfile(str(tmp_path / "pid.2"))
    ours.create(os.getpid())
    other = Pidfile(str(path))
    with pytest.raises(RuntimeError, match=f"Already running on PID {zombie}"):
        other.create(os.getpid())
    ours.take_over(str(path), zombie)
    os.waitpid(zombie, 0)
    assert path.read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "pid.2").exists()
    ours.unlink()
    assert not path.exists()


def test_pidfile_of_ours_is_found_again(tmp_path):
    path = tmp_path / "pid"
    path.write_text(f"{os.getpid()}\n")
    pidfile = Pidfile(str(path))
    pidfile.create(os.getpid())
    pidfile.unlink()
    assert not path.exists(), "a reload finds its own file and still removes it at the end"


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 0),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, 0),
        ({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}, 2),
    ],
)
def test_listen_fds(monkeypatch, environ, count):
    for name in ("LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert systemd.listen_fds(unset_environment=False) == count
    assert systemd.listen_fds() == count
    assert ("LISTEN_FDS" in os.environ) == (bool(environ) and not count)


def test_command_of_a_reexecution(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/rgunicorn", "app:app"])
    monkeypatch.setattr("sys.executable", "/py")
    main = SimpleNamespace(__spec__=None)
    monkeypatch.setitem(__import__("sys").modules, "__main__", main)
    assert handover.start_context()["args"] == ["/py", "/usr/bin/rgunicorn", "app:app"]
    main.__spec__ = SimpleNamespace(name="rgunicorn.__main__", parent="rgunicorn")
    assert handover.start_context()["args"] == ["/py", "-m", "rgunicorn", "app:app"]
    main.__spec__ = SimpleNamespace(name="rgunicorn.app.wsgiapp", parent="rgunicorn.app")
    assert handover.start_context()["args"] == ["/py", "-m", "rgunicorn.app.wsgiapp", "app:app"]


def test_names_of_signals_and_workers():
    import signal

    assert Arbiter.SIG_NAMES[signal.SIGCHLD] == "chld"
    assert Arbiter.SIG_NAMES[signal.SIGTERM] == "term"
    assert set(SUPPORTED_WORKERS) == {
        "sync",
        "gthread",
        "gevent",
        "gevent_wsgi",
        "gevent_pywsgi",
        "tornado",
        "asgi",
    }
