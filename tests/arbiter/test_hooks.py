"""Hooks of master and worker: which, in what order, with what in their hands; as Gunicorn's."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from harness.compare import same
from harness.server import free_port
from harness.wait import until
from harness.wire import Wire, get

CONFIG = Path(__file__).with_name("hooks.conf.py").read_text()


def play(serve, command, path: Path) -> dict[str, list[str]]:
    """One life of a server; what each role noted, in order."""
    server = serve(workers=1, config=CONFIG, env={"HOOKS": str(path)}, command=command, timeout=2)

    def count(text: str) -> int:
        return path.read_text().count(text)

    def wait(text: str, times: int) -> None:
        until(lambda: count(text) >= times, f"{times} × {text}", show=path.read_text)

    wait("post_worker_init", 1)
    server.send_signal(signal.SIGTTIN)
    wait("post_worker_init", 2)
    server.send_signal(signal.SIGTTOU)
    wait("child_exit", 1)
    server.send_signal(signal.SIGHUP)
    wait("child_exit", 2)
    wait("post_worker_init", 3)
    os.kill(server.workers()[0], signal.SIGINT)
    wait("post_worker_init", 4)
    with Wire(server.address) as wire:
        wire.send(get("/sleep/30"))
        wire.read_to_close()
    wait("post_worker_init", 5)
    server.assert_clean_exit()
    noted: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        role, _, rest = line.partition(" ")
        noted.setdefault(role, []).append(rest)
    return noted


def test_order_and_arguments(serve, command, tmp_path):
    noted = play(serve, command, tmp_path / "hooks")
    same(
        noted["master"],
        [
            "nworkers_changed 1 None",
            "on_starting [] True Master",
            "when_ready 1 0 1",
            "pre_fork 1 [booting] False 1 0",
            "nworkers_changed 2 1",
            "pre_fork 2 [booting] False 2 1",
            "nworkers_changed 1 2",
            "child_exit 1 False False",
            "nworkers_changed 1 1",
            "on_reload 1 1",
            "pre_fork 3 [booting] False 3 1",
            "child_exit 2 False False",
            "child_exit 3 False False",
            "pre_fork 4 [booting] False 4 0",
            "child_exit 4 False False",
            "pre_fork 5 [booting] False 5 0",
            "child_exit 5 False False",
            "on_exit 0 0",
        ],
    )


def test_same_as_gunicorn(serve, command, gunicorn, tmp_path):
    ours = play(serve, command, tmp_path / "ours")
    theirs = play(serve, gunicorn, tmp_path / "theirs")
    assert sorted(ours) == ["master", *(f"worker{age}" for age in range(1, 6))]
    for role in theirs:
        same(ours[role], theirs[role], role)


def test_attributes_of_server_and_worker(serve, tmp_path):
    config = """
def when_ready(server):
    for name in '''app cfg log pid master_pid reexec_pid master_name address timeout proc_name
            worker_class worker_age num_workers pidfile systemd START_CTX SIG_QUEUE dirty_arbiter
            dirty_arbiter_pid dirty_pidfile _stats LISTENERS WORKERS WORKER_BOOT_ERROR
            APP_LOAD_ERROR SIGNALS SIG_NAMES WAKEUP_REQUEST setup start run stop halt reload
            reexec init_signals signal signal_chld wakeup wait_for_signals handle_hup handle_term
            handle_int handle_quit handle_ttin handle_ttou handle_usr1 handle_usr2 handle_winch
            handle_chld handle_cld manage_workers spawn_worker spawn_workers kill_worker
            kill_workers murder_workers reap_workers maybe_promote_master'''.split():
        getattr(server, name)
    listener = server.LISTENERS[0]
    for name in '''fileno accept getsockname setblocking family type close sock cfg_addr
            FAMILY'''.split():
        getattr(listener, name)
    assert (server.WORKER_BOOT_ERROR, server.APP_LOAD_ERROR) == (3, 4)
    assert server.app.callable is None
    server.log.info('server has it all')

def post_worker_init(worker):
    for name in '''age pid ppid sockets app timeout cfg booted aborted alive reloader nr
            max_requests log tmp wsgi PIPE wait_fds SIGNALS notify init_process init_signals
            load_wsgi run handle_quit handle_exit handle_abort handle_usr1 handle_winch
            handle_error'''.split():
        getattr(worker, name)
    assert worker.timeout == worker.cfg.timeout / 2
    assert str(worker) == f'<Worker {worker.pid}>'
    before = worker.tmp.last_update()
    worker.notify()
    import time
    assert worker.tmp.last_update() <= time.monotonic() < before
    assert worker.tmp.fileno() > 2
    worker.log.info('worker has it all')
"""
    server = serve(workers=1, config=config)
    server.wait_log("server has it all")
    server.wait_log("worker has it all")


def test_hooks_may_queue_signals(serve):
    config = (
        "import signal, time\n"
        "def child_exit(server, worker):\n"
        "    server.signal(signal.SIGTTIN, None)\n"
        "    server.SIG_QUEUE.put_nowait(signal.SIGTTIN)\n"
        "    server.wakeup()\n"
        "def worker_exit(server, worker):\n"
        "    server.signal(signal.SIGTERM, None)\n"
        "    server.wakeup()\n"
    )
    server = serve(workers=1, config=config)
    server.wait_log("Booting worker")
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_log("Handling signal: ttin", 2)
    until(lambda: len(server.workers()) == 3, "three workers", show=server.log)
    assert "Handling signal: term" not in server.log(), "a worker's queue is not the master's"


@pytest.mark.ours("slots")
def test_slots_are_reused(serve):
    config = "def post_fork(server, worker):\n    server.log.info('slot %s', worker.slot)\n"
    config += "    assert worker.tmp.slot.index == worker.slot\n"
    server = serve(workers=3, config=config)
    server.wait_log("slot ", 3)
    os.kill(server.workers()[1], signal.SIGKILL)
    log = server.wait_log("slot ", 4)
    assert all(f"slot {number}\n" in log for number in range(3))
    assert "slot 3\n" not in log


EMBEDDED = """
import os
from {package}.app.base import BaseApplication
from {package}.arbiter import Arbiter


class App(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", os.environ["BIND"])
        self.cfg.set("worker_class", "tiny.TinyWorker")
        self.cfg.set("control_socket_disable", True)

    def load(self):
        import tiny

        return tiny.application

"""


@pytest.fixture
def embedded(serve, command, tmp_path):
    """Starts a server out of a program of its own."""

    def start(program: str):
        script = tmp_path / "embedded.py"
        script.write_text(EMBEDDED.replace("{package}", command.name) + program)
        argv = replace(command, argv=(command.python, str(script)))
        bind = f"127.0.0.1:{free_port()}"
        return serve(app=None, command=argv, env={"BIND": bind}, ready=False)

    return start


def test_subclass_of_the_arbiter(embedded):
    """Overrides that programs in the wild have: the constructor, halt and a signal handler."""
    server = embedded(
        """
class Ours(Arbiter):
    def __init__(self, app):
        super().__init__(app)
        self.log.info("our constructor")

    def handle_hup(self):
        self.log.info("our HUP")
        super().handle_hup()

    def spawn_worker(self):
        self.log.info("our fork")
        return super().spawn_worker()

    def kill_worker(self, pid, sig):
        self.log.info("our kill %s", int(sig))
        super().kill_worker(pid, sig)

    def halt(self, reason=None, exit_status=0):
        self.log.info("our halt")
        super().halt(reason, exit_status)


Ours(App()).run()
"""
    )
    server.wait_log("Booting worker")
    server.send_signal(signal.SIGHUP)
    server.wait_log("Booting worker", 2)
    server.wait_log("Worker exiting")
    log = server.assert_clean_exit()
    assert "our constructor" in log and "our HUP" in log and "our halt" in log
    assert log.count("our fork") == 2
    assert log.count("our kill 15") >= 2


def test_two_servers_one_after_the_other(embedded):
    server = embedded(
        """
master = os.getpid()
for _ in range(2):
    try:
        Arbiter(App()).run()
    except SystemExit:
        if os.getpid() != master:
            raise
"""
    )
    for count in (1, 2):
        server.wait_log("Booting worker", count)
        server.send_signal(signal.SIGTERM)
        server.wait_log("Shutting down: Master", count)
    assert server.wait_exit() == 0
