"""What a master tells a service manager, and what it takes from one."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.notified import Notified
from harness.server import free_port
from harness.wait import until
from harness.wire import ask, get

BOOTED = ["READY=1", "STATUS=Gunicorn arbiter booted"]
STOPPING = ["STOPPING=1", "STATUS=Shutting down"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Notified]:
    listening = Notified(tmp_path)
    yield listening
    listening.close()


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_ready(serve, order, tmp_path, abstract):
    manager = Notified(tmp_path, abstract)
    server = serve(workers=1, env={"NOTIFY_SOCKET": manager.address})
    assert manager.next() == (server.pid, BOOTED)
    # Programs of the application may have something to say themselves.
    assert order(server, "/env/NOTIFY_SOCKET") == manager.address
    server.assert_clean_exit()
    manager.close()


def test_socket_that_is_gone(serve, tmp_path):
    server = serve(workers=1, env={"NOTIFY_SOCKET": str(tmp_path / "no")}, loglevel="debug")
    server.wait_log("Exception while invoking sd_notify()")
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("READY before check_config and when_ready")
def test_a_start_that_fails_was_never_ready(serve, manager):
    config = "def when_ready(server):\n    raise KeyError('no')\n"
    server = serve(config=config, ready=False, env={"NOTIFY_SOCKET": manager.address})
    assert server.wait_exit() == 1
    assert manager.rest() == []


@pytest.mark.ours("Gunicorn says READY, and nothing else ever")
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_a_whole_life(serve, manager, worker):
    server = serve(workers=1, worker_class=worker, env={"NOTIFY_SOCKET": manager.address})
    server.wait_log("Booting worker")
    said = [manager.next()]
    server.send_signal(signal.SIGHUP)
    said += [manager.next(), manager.next()]
    config = server.directory / "gunicorn.conf.py"
    config.write_text(config.read_text() + "workers = -1\n")
    server.send_signal(signal.SIGHUP)
    said += [manager.next(), manager.next()]
    server.assert_clean_exit()
    said += manager.rest()
    assert {message.pid for message in said} == {server.pid}, "the master speaks, nobody else"
    times = [message.lines.pop(1) for message in said if message.lines[0] == "RELOADING=1"]
    assert [message.lines for message in said] == [
        BOOTED,
        ["RELOADING=1", "STATUS=Reloading"],
        ["READY=1", "STATUS=Gunicorn arbiter reloaded"],
        ["RELOADING=1", "STATUS=Reloading"],
        ["READY=1", "STATUS=Reload failed, the old configuration stays in force"],
        STOPPING,
    ]
    # systemd compares it with its own clock: a reload that it has asked for is not an older one.
    usec = [int(re.fullmatch(r"MONOTONIC_USEC=(\d+)", time)[1]) for time in times]
    assert 0 < usec[0] < usec[1]


@pytest.mark.ours("Gunicorn ends")
def test_a_reload_whose_workers_do_not_boot(serve, manager):
    server = serve(workers=1, env={"NOTIFY_SOCKET": manager.address})
    assert manager.next().lines == BOOTED
    until(lambda: ask(server.address, get("/pid")).status == 200, "an answer", show=server.log)
    config = server.directory / "gunicorn.conf.py"
    config.write_text(config.read_text() + "def post_fork(server, worker): raise KeyError\n")
    server.send_signal(signal.SIGHUP)
    assert manager.next().lines[0] == "RELOADING=1"
    status = "STATUS=Reload failed, the old configuration stays in force"
    assert manager.next().lines == ["READY=1", status]
    server.assert_clean_exit()


@pytest.mark.ours("Gunicorn says READY, and nothing else ever")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop_is_announced_once(serve, manager, number):
    server = serve(workers=1, env={"NOTIFY_SOCKET": manager.address})
    server.wait_log("Booting worker")
    server.assert_clean_exit(number)
    assert [message.lines for message in manager.rest()] == [BOOTED, STOPPING]


@pytest.mark.ours("shutdown_delay")
def test_a_delay_is_announced(serve, manager):
    """At its beginning, with the time that the whole stop may take; then not again."""
    environ = {"NOTIFY_SOCKET": manager.address}
    server = serve(workers=1, shutdown_delay=300, graceful_timeout=20, env=environ)
    assert manager.next().lines == BOOTED
    server.wait_log("Booting worker")
    server.send_signal(signal.SIGTERM)
    assert manager.next().lines == [*STOPPING, "EXTEND_TIMEOUT_USEC=325000000"]
    assert ask(server.address, get("/pid")).status == 200
    server.assert_clean_exit()
    assert manager.rest() == []


@pytest.fixture
def watched(command, tmp_path):
    """The command, started as systemd does it for a unit with WatchdogSec=."""
    script = tmp_path / "watched.py"
    script.write_text(
        "import os, sys\n"
        "os.environ.update(WATCHDOG_USEC='100000', WATCHDOG_PID=str(os.getpid()))\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    return replace(command, argv=(command.python, str(script), *command.argv))


@pytest.mark.ours("no sign of life from Gunicorn")
def test_signs_of_life(serve, manager, watched):
    config = (
        "import os, socket, time\n"
        "def mark(text):\n"
        "    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:\n"
        "        sock.sendto(text, os.environ['NOTIFY_SOCKET'])\n"
        "def on_reload(server):\n"
        "    mark(b'HANGS=1')\n"
        "    time.sleep(0.5)\n"
        "    mark(b'HANGS=0')\n"
    )
    server = serve(
        workers=1, config=config, command=watched, env={"NOTIFY_SOCKET": manager.address}
    )
    assert manager.any() == (server.pid, BOOTED)
    for _ in range(5):
        assert manager.any() == (server.pid, ["WATCHDOG=1"])
    # A master that hangs gives none.
    server.send_signal(signal.SIGHUP)
    while manager.any().lines != ["HANGS=1"]:
        pass
    assert manager.any().lines == ["HANGS=0"]
    while manager.any().lines != ["WATCHDOG=1"]:
        pass
    server.assert_clean_exit()


@pytest.mark.parametrize("env", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}], ids=str)
def test_somebody_elses_watchdog(serve, manager, env):
    env = {"WATCHDOG_USEC": "100000", "NOTIFY_SOCKET": manager.address, **env}
    server = serve(workers=1, env=env)
    server.wait_log("Booting worker")
    server.assert_clean_exit()
    assert ["WATCHDOG=1"] not in [message.lines for message in manager.rest()]


@pytest.mark.ours("no watchdog in Gunicorn")
def test_watchdog_without_a_number(serve):
    server = serve(env={"WATCHDOG_USEC": "soon"}, ready=False)
    assert server.wait_exit() == 1
    assert "Error: environment variable WATCHDOG_USEC='soon' is not a number" in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.ours("systemd loses a Gunicorn that is upgraded")
def test_the_new_master_becomes_the_main_process(serve, manager, upgrade, watched):
    server = serve(workers=1, command=watched, env={"NOTIFY_SOCKET": manager.address})
    server.wait_log("Booting worker")
    assert manager.next() == (server.pid, BOOTED)
    second = upgrade(server)
    server.send_signal(signal.SIGTERM)
    # Only the main process is believed: the old one names the new one, and last of all.
    assert manager.next() == (server.pid, [f"MAINPID={second}"])
    assert server.wait_exit() == 0
    promoted = [f"MAINPID={second}", "READY=1", "STATUS=Gunicorn arbiter promoted"]
    assert manager.next() == (second, promoted)
    # From now on it is the one that is watched.
    assert manager.any() == manager.any() == (second, ["WATCHDOG=1"])
    os.kill(second, signal.SIGTERM)
    assert manager.next() == (second, STOPPING)


@pytest.mark.ours("Gunicorn says READY, and nothing else ever")
def test_a_new_master_that_is_taken_back_says_nothing(serve, manager, upgrade, watched):
    server = serve(workers=1, command=watched, env={"NOTIFY_SOCKET": manager.address})
    server.wait_log("Booting worker")
    second = upgrade(server)
    os.kill(second, signal.SIGTERM)
    server.wait_log("Shutting down: Master.2")
    until(lambda: not os.path.exists(f"/proc/{second}"), "its end", show=server.log)
    server.assert_clean_exit()
    said = manager.rest()
    assert {message.pid for message in said} == {server.pid}
    assert [it.lines for it in said if it.lines != ["WATCHDOG=1"]] == [BOOTED, STOPPING]


@pytest.fixture
def activated(command):
    """`activated(port)`: the command behind systemd's own socket activation."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed (Debian: systemd)")

    def words(port: int):
        listen = ("-l", f"127.0.0.1:{port}", "--fdname=web")
        env = [f"-E{name}" for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")]
        return replace(command, argv=(program, *listen, *env, *command.argv))

    return words


def test_socket_activation(serve, order, activated):
    port = free_port()
    server = serve(workers=1, ready=False, command=activated(port))
    server.wait_log("Listening on")
    # The first connection starts the server, and waits for it in the backlog.
    assert int(order(server, "/ppid", ("127.0.0.1", port))) == server.pid
    assert f"Listening at: http://127.0.0.1:{port} ({server.pid})" in server.log()
    for name, value in (("LISTEN_PID", "None"), ("LISTEN_FDS", "None"), ("LISTEN_FDNAMES", "web")):
        assert order(server, f"/env/{name}", ("127.0.0.1", port)) == value
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("a changed `bind` closes systemd's socket; the new master dies")
def test_socket_activation_outlives_reload_and_upgrade(serve, order, activated, upgrade):
    port = free_port()
    server = serve(workers=1, ready=False, command=activated(port))
    server.wait_log("Listening on")
    assert order(server, "/pid", ("127.0.0.1", port))
    config = server.directory / "gunicorn.conf.py"
    config.write_text(config.read_text() + f"bind = '127.0.0.1:{free_port()}'\n")
    server.send_signal(signal.SIGHUP)
    server.wait_log("Worker exiting")
    assert int(order(server, "/ppid", ("127.0.0.1", port))) == server.pid
    second = upgrade(server)
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.wait_log("Master has been promoted.")
    assert int(order(server, "/ppid", ("127.0.0.1", port))) == second
    assert order(server, "/env/LISTEN_FDNAMES", ("127.0.0.1", port)) == "web"
