"""USR2: a second master beside the first, with its listeners."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from harness.server import children
from harness.wait import until


def ended(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_new_master_takes_over(serve, order, upgrade, tmp_path, transport):
    pidfile = tmp_path / "pid"
    server = serve(workers=1, pidfile=str(pidfile), transport=transport)
    server.wait_log("Booting worker")
    second = upgrade(server)
    assert pidfile.read_text() == f"{server.pid}\n"
    assert (tmp_path / "pid.2").read_text() == f"{second}\n"
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.wait_log("Master has been promoted.")
    until(lambda: pidfile.exists() and pidfile.read_text() == f"{second}\n", "the pidfile")
    assert not (tmp_path / "pid.2").exists()
    assert int(order(server, "/ppid")) == second
    os.kill(second, signal.SIGTERM)
    until(lambda: ended(second), "the new master to leave", show=server.log)
    assert not pidfile.exists()
    if transport == "unix":
        assert not os.path.exists(server.address), "the last one removes the socket"


def test_titles(serve, upgrade):
    server = serve(workers=1, proc_name="shop")
    second = upgrade(server)
    assert titles(server.pid) == ["gunicorn: master [shop]", "gunicorn: worker [shop]"]
    assert titles(second) == ["gunicorn: master [shop.2]", "gunicorn: worker [shop.2]"]
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    until(lambda: titles(second)[0] == "gunicorn: master [shop]", "the promotion")


def titles(master: int) -> list[str]:
    """Of a master and its workers, the children of one that is the child of another left out."""
    words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in [master, *children(master)]]
    found = [word.rstrip(b"\0 ").decode() for word in words]
    return [found[0], *(title for title in found[1:] if "worker" in title)]


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_new_master_is_taken_back(serve, order, upgrade, transport):
    server = serve(workers=1, transport=transport)
    server.wait_log("Booting worker")
    second = upgrade(server)
    os.kill(second, signal.SIGTERM)
    until(lambda: second not in children(server.pid), "the new master to leave", show=server.log)
    server.wait_log("Shutting down: Master.2")
    assert int(order(server, "/ppid")) == server.pid
    third = upgrade(server)
    assert third != second
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0


def test_second_usr2_is_ignored(serve, upgrade):
    server = serve(workers=1)
    second = upgrade(server)
    server.send_signal(signal.SIGUSR2)
    server.wait_log("[WARNING] USR2 signal ignored. Child exists.")
    os.kill(second, signal.SIGUSR2)
    server.wait_log("[WARNING] USR2 signal ignored. Parent exists.")


def test_pre_exec_and_environment(serve, upgrade):
    config = (
        "import os\n"
        "seen = [os.environ.get(name) for name in ('GUNICORN_PID', 'A')]\n"
        "def on_starting(server): server.log.info('seen %s', seen)\n"
        "def pre_exec(server): server.log.info('about to execute')\n"
    )
    server = serve(workers=1, config=config, raw_env=["A=one"])
    upgrade(server)
    log = server.log()
    assert log.index("seen [None, None]") < log.index("about to execute")
    # The environment the first master was started in, not the one it has made for itself.
    assert f"seen ['{server.pid}', None]" in log.partition("about to execute")[2]


@pytest.mark.gunicorn_bug("starts in `chdir`, and finds no configuration there")
def test_the_configuration_is_found_again_in_spite_of_chdir(serve, upgrade, tmp_path):
    config = "def on_starting(server): server.log.info('found %s', server.cfg.raw_env)\n"
    server = serve(workers=1, chdir=str(tmp_path), config=config, raw_env=["A=one"])
    upgrade(server)
    assert server.log().count("found ['A=one']") == 2


@pytest.mark.gunicorn_bug("the forked child stops its siblings")
def test_pre_exec_that_raises_harms_nobody(serve, order):
    config = "def pre_exec(server):\n    raise KeyError('no')\n"
    server = serve(workers=2, config=config)
    server.wait_log("Booting worker", 2)
    workers = server.workers()
    server.send_signal(signal.SIGUSR2)
    server.wait_log("KeyError: 'no'")
    until(lambda: server.workers() == workers, "the child to leave", show=server.log)
    assert order(server, "/pid") in map(str, workers)
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("the new master dies")
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_reuse_port(serve, order, upgrade, worker):
    server = serve(workers=1, reuse_port=True, worker_class=worker)
    second = upgrade(server)
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.wait_log("Master has been promoted.")
    assert int(order(server, "/ppid")) == second


@pytest.fixture
def passed_on(tmp_path):
    """A listening TCP socket as descriptor 3 of a program: its address and the launching words."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.set_inheritable(True)
        script = tmp_path / "as3.py"
        script.write_text(
            "import os, sys\n"
            f"os.dup2({listener.fileno()}, 3, inheritable=True)\n"
            "if sys.argv[1] == 'systemd':\n"
            "    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        yield listener, script


def launched(command, script, how):
    from dataclasses import replace

    return replace(command, argv=(command.python, str(script), how, *command.argv))


@pytest.mark.parametrize(("how", "worker"), [("fd", "gthread"), ("systemd", "sync")])
def test_inherited_listener(serve, order, command, passed_on, monkeypatch, how, worker):
    listener, script = passed_on
    keep_descriptors(monkeypatch)
    # With a descriptor, what would have to be bound is left alone.
    extra = {"bind": ["fd://3", "127.0.0.1:1"]} if how == "fd" else {}
    extra["worker_class"] = worker
    server = serve(workers=1, ready=False, command=launched(command, script, how), **extra)
    host, port = listener.getsockname()
    server.wait_log(f"Listening at: http://{host}:{port} ({server.pid})")
    assert order(server, "/pid", (host, port)) == str(server.workers()[0])
    assert order(server, "/env/LISTEN_FDS", (host, port)) == "None"
    server.assert_clean_exit()


@pytest.mark.gunicorn_bug("the new master dies")
@pytest.mark.parametrize(("how", "worker"), [("fd", "sync"), ("systemd", "gthread")])
def test_inherited_listener_is_passed_on(
    serve, order, command, passed_on, upgrade, monkeypatch, how, worker
):
    listener, script = passed_on
    keep_descriptors(monkeypatch)
    extra = {"bind": "fd://3"} if how == "fd" else {}
    extra["worker_class"] = worker
    server = serve(workers=1, ready=False, command=launched(command, script, how), **extra)
    server.wait_log("Booting worker")
    second = upgrade(server)
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.wait_log("Master has been promoted.")
    assert int(order(server, "/ppid", listener.getsockname())) == second


@pytest.mark.gunicorn_bug("takes descriptor 3 twice and dies")
def test_systemd_socket_that_is_also_configured(serve, order, command, passed_on, monkeypatch):
    listener, script = passed_on
    keep_descriptors(monkeypatch)
    server = serve(
        workers=1, ready=False, command=launched(command, script, "systemd"), bind="fd://3"
    )
    server.wait_log("Booting worker")
    assert order(server, "/pid", listener.getsockname())


def keep_descriptors(monkeypatch) -> None:
    """The harness starts servers without our descriptors; here one has to go along."""
    import subprocess

    popen = subprocess.Popen

    def inheriting(*args, **kwargs):
        return popen(*args, close_fds=False, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", inheriting)
