"""The life of the status process: it comes back, moves, is handed over, ends with its master."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Server, children
from harness.status import Pages, pages_port, process_of
from harness.wait import until
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("Gunicorn has no status pages")

HOOKS = """
def pre_fork(server, worker): print("hook pre_fork", flush=True)
def child_exit(server, worker): print("hook child_exit", flush=True)
def worker_exit(server, worker): print("hook worker_exit", flush=True)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def set_to(server: Server, bind: str | None) -> None:
    """Changes status_bind in the config file."""
    file = server.directory / "gunicorn.conf.py"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("status_bind")]
    file.write_text("\n".join([*lines, f"status_bind = {bind!r}", ""]))


def reload(server: Server) -> None:
    seen = server.log().count("Handling signal: hup")
    workers = workers_of(server)
    server.send_signal(signal.SIGHUP)
    server.wait_log("Handling signal: hup", seen + 1)
    until(
        lambda: not [pid for pid in workers if alive(pid)], "new workers instead", show=server.log
    )


@contextlib.contextmanager
def always_answers(pages: Pages, path: str) -> Iterator[None]:
    """`path` is asked for without a pause meanwhile, and says 200 each time."""
    failures: list[object] = []
    done = threading.Event()

    def probe() -> None:
        while not done.is_set():
            try:
                status = pages.ask(path)[0]
            except OSError as exc:
                failures.append(exc)
            else:
                if status != 200:
                    failures.append(status)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not failures


def workers_of(server: Server) -> set[int]:
    return {pid for pid in children(server.pid) if is_worker(pid)}


def is_worker(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"gunicorn: worker [")
    except OSError:
        return False


def test_it_comes_back_and_nobody_hears_of_it(spawn, tmp_path: Path) -> None:
    pages = Pages(("127.0.0.1", pages_port()))
    server = spawn(
        "tiny:application",
        ready=False,
        settings={"workers": 2, "status_bind": pages.bind},
        config=HOOKS,
    )
    pages.wait_ready(server)
    until(lambda: len(workers_of(server)) == 2, "two workers")
    workers = workers_of(server)
    first = process_of(server)
    os.kill(first, signal.SIGKILL)
    second = process_of(server, but=first)
    assert pages.ask("/healthz") == (200, "ok\n")
    log = server.log()
    assert f"Status process (pid:{first}) was killed by signal 9: the next one starts now" in log
    # The second one has lived for a moment only.
    os.kill(second, signal.SIGKILL)
    server.wait_log(
        f"Status process (pid:{second}) was killed by signal 9: the next one starts in 1 s"
    )
    third = process_of(server, but=second)
    assert pages.ask("/readyz")[0] == 200
    assert workers_of(server) == workers
    # What kills a group is not meant for it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
        os.kill(third, number)
    assert pages.ask("/healthz")[0] == 200
    log = server.assert_clean_exit()
    assert not alive(third) and pages.refuses()
    assert log.count("hook pre_fork") == 2 and log.count("hook child_exit") == 2


def test_it_ends_with_a_master_that_is_killed(watched) -> None:
    server, pages = watched()
    pid = process_of(server)
    os.kill(server.pid, signal.SIGKILL)
    server.wait_exit()
    until(lambda: not alive(pid), "its end")
    assert pages.refuses()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_stop_leaves_nothing_behind(watched, number: signal.Signals) -> None:
    server, pages = watched(unix=True)
    assert os.path.exists(pages.address)
    pid = process_of(server)
    server.assert_clean_exit(number)
    assert not alive(pid) and not os.path.exists(pages.address)


def test_a_reload_turns_it_on_moves_it_and_turns_it_off(watched, tmp_path: Path) -> None:
    server, pages = watched("tiny:application")
    first = process_of(server)
    reload(server)
    # The same configuration: the same process.
    assert process_of(server) == first and pages.ask("/readyz")[0] == 200

    other = Pages(str(tmp_path / "other.sock"))
    set_to(server, other.bind)
    reload(server)
    other.wait_ready(server)
    until(pages.refuses, "the old address to be closed")
    assert process_of(server, but=first)
    until(lambda: not alive(first), "the first one's end")

    set_to(server, None)
    reload(server)
    server.wait_log("The status pages are off")
    assert other.refuses() and not os.path.exists(other.address)

    set_to(server, pages.bind)
    reload(server)
    pages.wait_ready(server)
    server.assert_clean_exit()


def test_an_address_in_use_stops_the_reload(watched) -> None:
    server, pages = watched("tiny:application")
    workers = workers_of(server)
    taken = server.bind.replace("127.0.0.1", "localhost")
    set_to(server, taken)
    server.send_signal(signal.SIGHUP)
    log = server.wait_log("Reload failed, the old configuration stays in force")
    assert f"status_bind = {taken!r} can not be listened on (Address already in use)" in log
    assert "Traceback" not in log
    assert workers_of(server) == workers and pages.ask("/readyz")[0] == 200


def test_one_that_changes_what_it_is_told_is_replaced_without_a_gap(watched) -> None:
    server, pages = watched("tiny:application")
    first = process_of(server)
    with always_answers(pages, "/healthz"):
        file = server.directory / "gunicorn.conf.py"
        file.write_text(file.read_text() + "\nmax_queue = 7\n")
        reload(server)
        process_of(server, but=first)
        until(lambda: not alive(first), "the end of the first")
    assert "and 7 may (max_queue)" in pages.ask("/readyz")[1]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_an_upgrade_has_no_gap(watched, unix: bool) -> None:
    server, pages = watched("tiny:application", unix=unix)
    first = process_of(server)
    before = set(children(server.pid))
    second = 0
    try:
        with always_answers(pages, "/readyz"):
            server.send_signal(signal.SIGUSR2)
            server.wait_log("is ready")
            (second,) = (pid for pid in set(children(server.pid)) - before if children(pid))
            until(lambda: not alive(first), "the new master's process to answer", show=server.log)
            assert pages.stats()["pid"] == second
            server.send_signal(signal.SIGTERM)
            server.wait_exit()
            assert pages.stats()["pid"] == second
        os.kill(second, signal.SIGTERM)
        until(lambda: not alive(second), "the end of the second master")
        assert pages.refuses()
        assert not unix or not os.path.exists(pages.address)
    finally:
        if second and alive(second):
            os.kill(second, signal.SIGKILL)


def test_an_upgrade_that_is_given_up(watched) -> None:
    server, pages = watched("tiny:application")
    before = set(children(server.pid))
    server.send_signal(signal.SIGUSR2)
    server.wait_log("is ready")
    (second,) = (pid for pid in set(children(server.pid)) - before if children(pid))
    until(lambda: pages.stats()["pid"] == second, "the new master to answer")
    os.kill(second, signal.SIGTERM)
    server.wait_log("New master")
    until(lambda: pages.stats()["pid"] == server.pid, "the old master to answer again")
    server.assert_clean_exit()


def test_an_address_that_can_not_be_had_ends_the_start(watched, tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/nowhere/status.sock"
    server, _ = watched("tiny:application", ready=False, status_bind=bind)
    assert server.wait_exit() == 1
    assert server.log().rstrip().splitlines()[-1] == (
        f"Error: status_bind = {bind!r} can not be listened on (No such file or directory): "
        "make the directory of the socket first"
    )
    assert "Traceback" not in server.log()


def test_an_application_that_does_not_boot(spawn) -> None:
    pages = Pages(("127.0.0.1", pages_port()))
    server = spawn(
        "fails:application",
        ready=False,
        settings={"status_bind": pages.bind},
        env={"BREAK": "import"},
    )
    assert server.wait_exit() == 3
    assert pages.refuses()
    assert not children(server.pid)


def test_a_preloaded_application_serves(watched) -> None:
    server, pages = watched("tiny:application", preload_app=True)
    with Wire(server.address) as wire:
        wire.send(get("/"))
        assert wire.response().status == 200
    assert pages.ask("/readyz")[0] == 200
    server.assert_clean_exit()
