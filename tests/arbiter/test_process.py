"""What the processes are: lines at the start, titles, identity, background, reloader."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import stat
import time
from pathlib import Path

import pytest

from harness.server import children
from harness.wait import until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its identity")


def test_lines_of_a_boot(serve):
    server = serve(workers=1, ready=False)
    log = server.wait_log("Booting worker")
    lines = [re.sub(r"^\[[^]]*\] ", "", line) for line in log.splitlines()]
    name = "gunicorn 27.0.1" if server.command.is_gunicorn else "rgunicorn 0.1.0"
    worker = server.workers()[0]
    assert lines == [
        f"[{server.pid}] [INFO] Starting {name}",
        f"[{server.pid}] [INFO] Listening at: {server.url} ({server.pid})",
        f"[{server.pid}] [INFO] Using worker: {server.settings['worker_class']}",
        f"[{worker}] [INFO] Booting worker with pid: {worker}",
    ]


def test_environment_of_the_application(serve, order):
    server = serve(workers=1, raw_env=["A=one"], env={"B": "two"})
    assert order(server, "/env/A") == "one"
    assert order(server, "/env/B") == "two"
    assert order(server, "/env/SERVER_SOFTWARE").startswith("gunicorn/27.0.1")
    assert order(server, "/env/GUNICORN_PID") == "None"


@pytest.mark.skipif(not importlib.util.find_spec("setproctitle"), reason="needs setproctitle")
def test_titles(serve):
    server = serve(workers=1, proc_name="shop")
    server.wait_log("Booting worker")

    def title(pid: int) -> str:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()

    if server.command.is_gunicorn:
        pytest.skip("its environment has no setproctitle")
    assert title(server.pid) == "gunicorn: master [shop]"
    assert title(server.workers()[0]) == "gunicorn: worker [shop]"


@ROOT
def test_workers_change_their_identity(serve, order):
    server = serve(workers=1, preload_app=True, user=65534, group=65534, transport="tcp")
    umask, uid, gid, _ = eval(order(server, "/identity"))
    assert (uid, gid) == (65534, 65534)
    assert os.stat(f"/proc/{server.pid}").st_uid == 0
    server.assert_clean_exit()


@ROOT
def test_unix_socket_belongs_to_the_workers_user(serve, tmp_path):
    server = serve(
        workers=1, preload_app=True, user=65534, group=65534, transport="unix", umask=0o077
    )
    info = os.stat(server.address)
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (65534, 65534, 0o700)


@ROOT
def test_heartbeat_of_a_worker_with_another_identity(serve, order):
    server = serve(workers=1, preload_app=True, user=65534, group=65534, timeout=1)
    assert order(server, "/sleep/0.5")
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 2, "a second worker", show=server.log)
    assert order(server, "/sleep/0.5")
    assert "WORKER TIMEOUT" not in server.log()


def test_preload(serve, order):
    config = "def pre_fork(server, worker):\n    server.log.info('%s', server.app.callable)\n"
    server = serve(workers=2, preload_app=True, config=config)
    assert server.log().count("<function application at") == 2
    assert order(server, "/pid")


@pytest.fixture
def daemon(serve, tmp_path):
    """A server in the background; it is ended by the pid in its pidfile."""
    pidfile = tmp_path / "pid"
    started = []

    def start(**settings):
        errorlog = tmp_path / "error.log"
        server = serve(
            daemon=True, pidfile=str(pidfile), errorlog=str(errorlog), ready=False, **settings
        )
        assert server.wait_exit() == 0, "the parent leaves at once"
        until(lambda: pidfile.exists() and pidfile.read_text(), "the pidfile")
        pid = int(pidfile.read_text())
        started.append(pid)
        until(lambda: "Booting worker" in errorlog.read_text(), "a worker")
        return server, pid, errorlog

    yield start
    for pid in started:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGTERM)
            until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the daemon to leave")


def test_daemon(daemon, order):
    server, pid, errorlog = daemon(workers=2)
    until(lambda: len(children(pid)) == 2, "two workers")
    assert os.getsid(pid) != pid, "no session leader can get a terminal"
    assert int(order(server, "/ppid")) == pid
    umask, *_ = eval(order(server, "/identity"))
    assert umask == 0o022
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


@pytest.mark.parametrize("kept", [True, False])
def test_streams_of_a_daemon(daemon, kept):
    config = "def when_ready(server):\n    print('printed', flush=True)\n"
    server, pid, _ = daemon(workers=1, enable_stdio_inheritance=kept, config=config)
    streams = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)]
    output = str(server.log_path) if kept else "/dev/null"
    assert streams == ["/dev/null", output, output]
    # A worker boots after when_ready.
    assert ("printed\n" in server.log()) == kept


def test_winch_stops_the_workers_of_a_daemon(daemon):
    _, pid, errorlog = daemon(workers=2)
    os.kill(pid, signal.SIGWINCH)
    until(lambda: not children(pid), "no workers")
    assert "graceful stop of workers" in errorlog.read_text()
    os.kill(pid, signal.SIGTTIN)
    until(lambda: len(children(pid)) == 1, "one worker")
    os.kill(pid, signal.SIGHUP)
    until(lambda: len(children(pid)) == 2, "two workers")


def test_daemon_is_upgraded(daemon):
    _, pid, errorlog = daemon(workers=1)
    until(lambda: len(children(pid)) == 1, "one worker")
    pidfile = errorlog.parent / "pid"
    os.kill(pid, signal.SIGUSR2)
    second = errorlog.parent / "pid.2"
    until(lambda: second.exists() and second.read_text(), "the new master")
    new = int(second.read_text())
    until(lambda: len(children(new)) == 1, "its worker")
    os.kill(pid, signal.SIGTERM)
    until(lambda: pidfile.exists() and pidfile.read_text() == f"{new}\n", "the promotion")
    os.kill(new, signal.SIGTERM)
    until(lambda: not pidfile.exists(), "the new master to leave")


def test_reloader(serve, order, tmp_path):
    app = tmp_path / "live.py"
    text = "def application(environ, start_response):\n    start_response('200 OK', [])\n"
    app.write_text(text + "    return [b'old']\n")
    config = "def worker_int(worker):\n    worker.log.info('interrupted')\n"
    server = serve(
        app="live:application", chdir=str(tmp_path), workers=1, reload=True, config=config
    )
    assert order(server, "/") == "old"
    assert "[WARNING] Reloader is on. Use in development only!" in server.log()

    def change(new: str, boots: int) -> None:
        # Its first look at the files may come after our change: change until it is seen.
        def noticed() -> bool:
            # At once: a worker may be reading the file.
            draft = tmp_path / "live.draft"
            draft.write_text(new)
            os.utime(draft, ns=(time.time_ns(), time.time_ns()))
            draft.replace(app)
            return server.log().count("Booting worker") >= boots

        until(noticed, f"{boots} boots", show=server.log)

    change(text + "    return [b'newer']\n", 2)
    assert f"Worker reloading: {app} modified" in server.log()
    assert "interrupted" in server.log()
    until(lambda: order(server, "/") == "newer", "the new code", show=server.log)
    # A syntax error is shown, and mended without a restart by hand.
    change("def application(:\n", 3)
    until(lambda: "SyntaxError" in order(server, "/"), "the error page", show=server.log)
    change(text + "    return [b'mended again']\n", server.log().count("Booting worker") + 1)
    until(lambda: order(server, "/") == "mended again", "the new code", show=server.log)


def test_number_of_workers_is_said_at_debug(serve):
    server = serve(workers=2, loglevel="debug")
    server.wait_log("[DEBUG] 2 workers")
    server.send_signal(signal.SIGTTIN)
    server.wait_log("[DEBUG] 3 workers")
