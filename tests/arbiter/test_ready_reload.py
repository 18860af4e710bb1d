"""HUP: the old workers serve until the new ones are ready, and stay when these can not boot."""

from __future__ import annotations

import signal
import socket

import pytest

from arbiter.live import FAILED, IMPATIENT, STAYED
from harness import kinds
from harness.load import load
from harness.server import free_port
from harness.wait import until
from harness.wire import ask, get

pytestmark = pytest.mark.ours("Gunicorn's old workers leave when the new ones are forked")


KITCHEN = (
    "import os, time\n"
    "os.write(1, b'importing\\n')\n"
    "while not os.path.exists({gate!r}):\n"
    "    time.sleep(0.02)\n"
    "from kitchen import app as application\n"
)


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_m5_nobody_waits_for_the_import(serve, tmp_path, kind):
    """Under load, on kept-alive and on closing connections: an import that takes as long as it
    likes, then code that does not boot."""
    (tmp_path / "busy.py").write_text("from kitchen import app as application\n")
    settings = {"threads": 4, "workers": 2, **kind.settings}
    server = serve(app="busy:application", chdir=str(tmp_path), **settings)
    server.wait_log("Booting worker", 2)
    old, gate = server.workers(), tmp_path / "open"
    with load(server.address) as clients:
        clients.wait_answers(20)
        (tmp_path / "busy.py").write_text(KITCHEN.format(gate=str(gate)))
        server.send_signal(signal.SIGHUP)
        server.wait_log("importing\n")
        clients.wait_answers(100)
        assert set(old) < set(server.workers()), "the old ones serve while the new one imports"
        assert "Worker exiting" not in server.log()
        gate.touch()
        until(
            lambda: len(server.workers()) == 2 and not set(old) & set(server.workers()),
            "new workers",
            show=server.log,
        )
        clients.wait_answers(100)
        (tmp_path / "busy.py").write_text("raise ValueError('broken')\n")
        serving = server.workers()
        server.send_signal(signal.SIGHUP)
        server.wait_log(STAYED)
        clients.wait_answers(100)
        until(lambda: server.workers() == serving, "the workers from before")
    clients.assert_nothing_lost()
    server.assert_clean_exit()


NEVER_MADE_GOOD = "[WARNING] The last reload had failed, and was never made good"
BROKEN = {
    "import": "raise ValueError('broken')",
    "syntax": "def (",
    "missing module": "import nowhere",
    "base exception": "raise KeyboardInterrupt('broken')",
    "exits": "sys.exit(0)",
    "exits hard": "os._exit(9)",
    "crash": "os.kill(os.getpid(), 11)",
}


def test_code_that_does_not_boot_keeps_the_old_workers(live):
    it = live(workers=3)
    workers = it.server.workers()
    for name, top in BROKEN.items():
        it.write("broken", top)
        it.hup()
        it.failed()
        until(lambda: it.server.workers() == workers, f"the old workers: {name}")
        assert it.answer()[0] == "first", name
    log = it.server.log()
    assert log.count("ValueError: broken\n") == 1, "one traceback"
    assert log.count(STAYED) == len(BROKEN)
    it.write("second")
    it.hup()
    it.replaced(workers, 3)
    assert it.answer()[0] == "second"
    log = it.server.assert_clean_exit()
    assert log.count(FAILED) == len(BROKEN)
    assert NEVER_MADE_GOOD not in log


def test_a_failure_that_was_never_made_good_is_told_at_the_end(live):
    it = live(workers=1)
    it.write("broken", "raise ValueError('broken')")
    it.hup()
    it.failed()
    log = it.server.assert_clean_exit()
    assert log.index("Shutting down: Master") < log.index(f"{NEVER_MADE_GOOD}: worker (pid:")


def test_an_application_that_is_not_found_keeps_the_old_workers(live):
    it = live(app="live:application")
    workers = it.server.workers()
    for text in ("", "application = 5\n", "import live.nothing\n"):
        (it.directory / "live.py").write_text(text)
        it.hup()
        log = it.failed()
        until(lambda: it.server.workers() == workers, "the old workers")
    assert log.count("Failed to find attribute 'application' in 'live'.\n") == 1
    assert it.answer()[0] == "first"


def test_a_factory_that_fails_keeps_the_old_workers(live):
    it = live(app="live:make()")
    (it.directory / "live.py").write_text("def make():\n    raise KeyError('broken')\n")
    workers = it.server.workers()
    it.hup()
    assert "KeyError: 'broken'" in it.failed()
    assert it.answer()[0] == "first"
    until(lambda: it.server.workers() == workers, "the old workers")


HOOKS = {
    "pre_fork(server, worker)": FAILED,
    "post_fork(server, worker)": STAYED,
    "post_worker_init(worker)": STAYED,
    "on_reload(server)": FAILED,
    "nworkers_changed(server, new, old)": FAILED,
}


def test_a_configuration_whose_hooks_raise_keeps_the_old_one(live):
    it = live(raw_env=["TEXT=old"])
    workers = it.server.workers()
    for hook, line in HOOKS.items():
        it.configure(
            f"raw_env = ['TEXT=new']\nworkers = 3\ndef {hook}: raise KeyError('in a hook')"
        )
        count = it.server.log().count(line)
        it.hup()
        it.failed()
        assert it.server.log().count(line) == count + 1, hook
        until(lambda: it.server.workers() == workers, f"the old workers: {hook}")
        it.configure(f"def {hook}: pass")
    assert it.answer()[::2] == ["first", "old"]
    assert it.server.log().count("KeyError: 'in a hook'") == len(HOOKS)
    # The old number of workers is in force as well.
    it.server.send_signal(signal.SIGTTOU)
    until(lambda: len(it.server.workers()) == 1, "one worker less", show=it.server.log)
    it.hup()
    it.replaced(workers, 3)
    assert it.answer()[::2] == ["first", "new"]


def test_addresses_go_and_come_back(live, tmp_path):
    it = live(workers=1, config=IMPATIENT)
    server, port = it.server, free_port()
    old, new, path = server.address, ("127.0.0.1", port), tmp_path / "new.sock"
    config = (server.directory / "gunicorn.conf.py").read_text()
    it.configure(f"bind = ['127.0.0.1:{port}', 'unix:{path}']")
    it.write_gated("second", "raise ValueError('broken')")
    it.hup()
    it.importing()
    assert path.exists()
    assert it.answer()[0] == "first", "the old address serves meanwhile"
    it.gate.touch()
    it.failed()
    assert it.answer()[0] == "first"
    until(lambda: not path.exists(), "the new socket to go")

    def refused(address) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(address) != 0

    until(lambda: refused(new), "the new address to close", show=server.log)
    it.write("third")
    it.hup()
    until(lambda: refused(old), "the old address to close", show=server.log)
    assert ask(new, get("/")).body.startswith(b"third")
    assert ask(str(path), get("/")).body.startswith(b"third")
    # And back, changed again before the reload is done.
    (server.directory / "gunicorn.conf.py").write_text(config)
    it.gate.unlink()
    it.write_gated("fourth")
    it.hup()
    it.importing(2)
    it.configure(f"bind = ['{server.bind}', '127.0.0.1:{port}']")
    it.hup()
    it.gate.touch()
    until(lambda: not path.exists(), "the unix socket to go", show=server.log)
    for address in (old, new):
        assert ask(address, get("/")).body.startswith(b"fourth")
    server.assert_clean_exit()


def test_the_pidfile_moves_when_the_reload_is_done(live, tmp_path):
    old, new = tmp_path / "old.pid", tmp_path / "new.pid"
    it = live(workers=1, pidfile=str(old))
    it.configure(f"pidfile = {str(new)!r}")
    it.write("second", "raise ValueError('broken')")
    it.hup()
    it.failed()
    assert old.exists()
    assert not new.exists()
    it.write("third")
    it.hup()
    until(lambda: new.exists() and not old.exists(), "the pidfile to move", show=it.server.log)


@pytest.mark.parametrize("worker", ["tiny.TinyWorker", "tiny.OwnBootWorker", "gthread"])
def test_other_worker_classes(live, worker):
    it = live(workers=1, worker_class=worker, timeout=0)
    workers = it.server.workers()
    it.write("broken", "raise ValueError('broken')")
    it.hup()
    it.failed()
    it.write("second")
    it.hup()
    it.replaced(workers, 1)


def test_the_old_way(live):
    it = live(workers=1, reload_strategy="gunicorn")
    old = it.server.workers()
    it.write_gated("second")
    it.hup()
    until(lambda: old[0] not in it.server.workers(), "the old worker to leave")
    it.gate.touch()
    assert it.answer()[0] == "second"
    it.write("broken", "raise ValueError('broken')")
    it.hup()
    assert it.server.wait_exit() == 3
