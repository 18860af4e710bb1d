"""HUP: the old workers serve until the new ones are ready, and stay when these can not boot."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from arbiter.live import FAILED, STAYED
from harness import kinds
from harness.load import load
from harness.server import free_port
from harness.wait import until
from harness.wire import ask, get

pytestmark = pytest.mark.ours("Gunicorn's old workers leave when the new ones are forked")


KITCHEN = (
    "import os, time\n"
    "print('importing', flush=True)\n"
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


@pytest.mark.parametrize("strategy", ["ready", "rolling"])
def test_many_become_one(live, strategy):
    it = live(reload_strategy=strategy)
    it.write_gated("second")
    for number in range(8):
        it.configure(f"raw_env = ['TEXT={number}']")
        it.hup()
        # Old ones, and the first of the new ones.
        assert len(it.server.workers()) <= 3
        assert it.answer()[0] == "first"
    it.gate.touch()
    until(lambda: it.answer()[::2] == ["second", "7"], "the latest", show=it.server.log)
    until(lambda: len(it.server.workers()) == 2, "the old ones to leave", show=it.server.log)
    log = it.server.assert_clean_exit()
    assert log.count("another one follows it") == 1
    assert log.count("Reload: it was asked for during the last one") == 1
    assert log.count("Booting worker") == 6, "the first workers, and two reloads"
    assert FAILED not in log
    assert "Traceback" not in log


def test_many_at_once_are_one(live, tmp_path):
    hold = tmp_path / "go"
    it = live(
        config="import os, time\n"
        "def on_reload(server):\n"
        "    print('in the hook', flush=True)\n"
        f"    while not os.path.exists({str(hold)!r}): time.sleep(0.02)\n"
    )
    it.hup()
    it.server.wait_log("in the hook")
    for _ in range(4):
        it.server.send_signal(signal.SIGHUP)
        until(lambda: not pending(it.server.pid), "the signal to be delivered")
    hold.touch()
    until(lambda: it.server.log().count("Booting worker") == 6, "two reloads")
    until(lambda: len(it.server.workers()) == 2, "the old ones to leave", show=it.server.log)
    log = it.server.assert_clean_exit()
    assert log.count("Hang up, and another one behind it: one reload for both") == 3
    assert log.count("Hang up: Master") == 2
    assert log.count("Booting worker") == 6


def pending(pid: int) -> bool:
    """Whether the kernel has a signal for the process that it has not delivered yet."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [line.split()[1] for line in status.splitlines() if "Pnd:" in line]
    return any(int(mask, 16) for mask in masks)


@pytest.mark.parametrize("how", ["while it imports", "while it fails"])
def test_the_next_one_comes_after_a_failure_too(live, how):
    it = live()
    it.write_gated("second", "raise ValueError('broken')")
    it.hup()
    it.importing()
    if how == "while it imports":
        it.write("third")
    it.hup()
    it.gate.touch()
    it.failed()
    if how == "while it fails":
        it.failed()
        assert it.answer()[0] == "first"
    else:
        until(lambda: it.answer()[0] == "third", "the mended code", show=it.server.log)
    assert it.server.log().count("Reload: it was asked for during the last one") == 1


# Of reloads that get nowhere, the next one takes the place; here from the first moment on.
IMPATIENT = "import rgunicorn.reload\nrgunicorn.reload._PATIENCE = 0\n"


def test_one_that_hangs_gives_way(live):
    it = live(config=IMPATIENT)
    workers = it.server.workers()
    it.write_gated("second")
    for number in range(8):
        it.configure(f"raw_env = ['TEXT={number}']")
        it.hup()
        # Old ones, new ones, and the first worker that a test can catch between two looks.
        assert len(it.server.workers()) <= 4
        assert it.answer()[0] == "first"
    it.gate.touch()
    it.replaced(workers, 2)
    assert it.answer()[::2] == ["second", "7"]
    log = it.server.assert_clean_exit()
    assert log.count("gets nowhere: another one takes its place") == 7
    assert FAILED not in log
    assert "Traceback" not in log


def test_a_reload_during_a_reload_that_fails_goes_back_to_the_beginning(live):
    it = live(raw_env=["TEXT=zero"], config=IMPATIENT)
    workers = it.server.workers()
    it.write_gated("second")
    it.configure("raw_env = ['TEXT=one']\nworkers = 3")
    it.hup()
    it.importing()
    # A file that can not be loaded changes nothing: the first reload goes on.
    it.configure("workers = 'many'")
    it.hup()
    it.failed()
    it.write("third", "raise ValueError('broken')")
    it.configure("raw_env = ['TEXT=two']\nworkers = 1")
    it.hup()
    it.gate.touch()
    assert STAYED in it.failed()
    until(lambda: it.server.workers() == workers, "the old workers", show=it.server.log)
    assert it.answer()[::2] == ["first", "zero"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_during_a_reload(live, number, tmp_path):
    it = live(graceful_timeout=2, pidfile=str(tmp_path / "pid"))
    it.configure(f"bind = ['{it.server.bind}', 'unix:{tmp_path}/new.sock']")
    it.write_gated("second")
    it.hup()
    it.importing()
    log = it.server.assert_clean_exit(number)
    assert FAILED not in log
    assert not (tmp_path / "pid").exists()
    assert not (tmp_path / "new.sock").exists()


def test_number_of_workers_changed_during_a_reload(live):
    it = live()
    workers = it.server.workers()
    it.write_gated("second")
    it.hup()
    it.importing()
    it.server.send_signal(signal.SIGTTIN)
    it.server.send_signal(signal.SIGUSR1)
    it.server.wait_log("Handling signal: usr1")
    it.gate.touch()
    new = it.replaced(workers, 3)
    # And given up: it was meant for the server, so the old generation grows.
    it.gate.unlink()
    it.write_gated("third", "raise ValueError('broken')")
    it.hup()
    it.importing(4)
    it.server.send_signal(signal.SIGTTOU)
    it.server.wait_log("Handling signal: ttou")
    it.gate.touch()
    it.failed()
    until(lambda: len(it.server.workers()) == 2, "one less of three", show=it.server.log)
    assert set(it.server.workers()) < set(new)
    assert it.answer()[0] == "second"


def test_old_workers_that_die_meanwhile_are_replaced_by_new_ones(live):
    it = live()
    workers = it.server.workers()
    it.write_gated("second")
    it.hup()
    it.importing()
    for count, pid in enumerate(workers, 1):
        os.kill(pid, signal.SIGKILL)
        it.importing(count)
        until(lambda pid=pid: pid not in it.server.workers(), "the worker's end")
    it.importing(2)
    it.gate.touch()
    it.replaced(workers, 2)
    assert it.answer()[0] == "second"
    assert FAILED not in it.server.log()


def test_nobody_left_and_nobody_boots(live):
    it = live(workers=1)
    (old,) = it.server.workers()
    it.write_gated("second", "raise ValueError('broken')")
    it.hup()
    it.importing()
    os.kill(old, signal.SIGKILL)
    it.server.wait_log("was sent SIGKILL")
    it.gate.touch()
    assert it.server.wait_exit() == 3
    assert STAYED in it.server.log()
    assert "Reason: Worker failed to boot." in it.server.log()


def test_a_worker_that_can_not_be_replaced_ends_nobody(live):
    """No HUP: the code on disk is broken when a worker ends."""
    it = live()
    victim, other = it.server.workers()
    it.write("broken", "raise ValueError('broken')")
    os.kill(victim, signal.SIGKILL)
    it.server.wait_log("failed to boot, the others serve on", 2)
    assert other in it.server.workers()
    assert it.answer()[:2] == ["first", str(other)]
    it.write("second")
    until(lambda: len(it.server.workers()) == 2, "another try", show=it.server.log)
    it.server.assert_clean_exit()


def test_the_last_worker_that_can_not_be_replaced_ends_the_server(live):
    it = live(workers=1)
    it.write("broken", "raise ValueError('broken')")
    os.kill(it.server.workers()[0], signal.SIGKILL)
    assert it.server.wait_exit() == 3
    assert "Reason: Worker failed to boot." in it.server.log()


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
