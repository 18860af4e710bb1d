"""USR2 is safe: the new master says when it is ready, and a TERM to the old one waits for that."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from harness import kinds
from harness.load import load
from harness.notified import Notified
from harness.server import children
from harness.wait import until

pytestmark = pytest.mark.ours("Gunicorn's masters do not speak to each other")

WAITS = "waits until the new master (pid:{pid}) is ready, and this one serves on"


@pytest.fixture
def upgrading(tidy):
    """`upgrading(live)`: sends USR2; the new master's pid, when its first worker imports."""

    def run(it, importing: int = 1) -> int:
        before = set(children(it.server.pid))
        seen = it.server.log().count("importing\n")
        it.server.send_signal(signal.SIGUSR2)
        it.importing(seen + importing)
        (pid,) = (pid for pid in set(children(it.server.pid)) - before if children(pid))
        tidy(pid)
        return pid

    return run


def ended(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def lines(server, pid: int) -> str:
    """What one process has logged."""
    return "".join(line for line in server.log().splitlines(True) if f"[{pid}]" in line)


def test_both_masters_say_that_the_new_one_is_ready(live, upgrading):
    it = live()
    it.write_gated("second")
    second = upgrading(it)
    assert it.answer()[0] == "first"
    assert "ready" not in it.server.log()
    it.gate.touch()
    it.server.wait_log(f"New master (pid:{second}) is ready")
    assert f"New master (pid:{second}) is ready" in lines(it.server, it.server.pid)
    ready = f"Ready: 2 workers have booted, the old master (pid:{it.server.pid}) can go"
    assert ready in lines(it.server, second)
    it.server.send_signal(signal.SIGTERM)
    assert it.server.wait_exit() == 0
    it.server.wait_log("Master has been promoted.")
    assert it.answer()[0] == "second"


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_nothing_is_lost(serve, tmp_path, kind, tidy):
    """TERM comes at once, while the new code imports; under load."""
    (tmp_path / "busy.py").write_text("from kitchen import app as application\n")
    gate = tmp_path / "open"
    server = serve(
        app="busy:application", chdir=str(tmp_path), threads=4, workers=2, **kind.settings
    )
    server.wait_log("Booting worker", 2)
    with load(server.address) as clients:
        clients.wait_answers(20)
        (tmp_path / "busy.py").write_text(
            "import os, time\nos.write(1, b'importing\\n')\n"
            f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
            "from kitchen import app as application\n"
        )
        # The kernel may run the second one's handler first.
        server.send_signal(signal.SIGUSR2)
        server.send_signal(signal.SIGTERM)
        server.wait_log("TERM waits until")
        (second,) = re.findall(r"the new master \(pid:(\d+)\)", server.log())
        tidy(int(second))
        server.wait_log("importing\n", 2)
        clients.wait_answers(100)
        assert server.running()
        gate.touch()
        assert server.wait_exit() == 0
        clients.wait_answers(100)
        server.wait_log("Master has been promoted.")
        clients.wait_answers(20)
    clients.assert_nothing_lost()


def test_a_successor_that_does_not_boot(live, upgrading, tmp_path):
    it = live(workers=1, pidfile=str(tmp_path / "pid"))
    workers = it.server.workers()
    failed = "before it was ready"
    it.write_gated("second", "raise ValueError('broken')")
    second = upgrading(it)
    it.gate.touch()
    it.server.wait_log(f"[ERROR] New master (pid:{second}) ended with exit code 3 {failed}")
    assert "[ERROR] This master serves on; USR2 is the next try" in it.server.log()
    it.gate.unlink()
    (it.directory / "live.py").write_text("nothing = 1\n")
    it.server.send_signal(signal.SIGUSR2)
    it.server.wait_log(f"ended with exit code 4 {failed}")
    it.write_gated("third")
    third = upgrading(it)
    (orphan,) = children(third)
    os.kill(third, signal.SIGKILL)
    it.server.wait_log(f"New master (pid:{third}) was killed by signal 9 {failed}")
    assert it.server.workers() == workers
    assert it.answer()[0] == "first"
    assert (tmp_path / "pid").read_text() == f"{it.server.pid}\n"
    it.gate.touch()
    until(lambda: ended(orphan), "the worker without a master to leave", show=it.server.log)
    # And then one that works.
    it.write("fourth")
    it.server.send_signal(signal.SIGUSR2)
    it.server.wait_log(") is ready")
    it.server.send_signal(signal.SIGTERM)
    assert it.server.wait_exit() == 0
    assert it.answer()[0] == "fourth"
    until(lambda: not (tmp_path / "pid.2").exists(), "the promotion", show=it.server.log)


def test_a_successor_whose_preloaded_application_fails(live):
    it = live(workers=1)
    it.configure("preload_app = True")
    it.write("second", "raise ValueError('broken')")
    it.server.send_signal(signal.SIGUSR2)
    it.server.wait_log("ended with exit code 1 before it was ready")
    assert it.answer()[0] == "first"


def test_term_and_then_the_successor_fails(live, upgrading):
    """It is obeyed: whoever sends TERM wants this process to end."""
    it = live(workers=1)
    it.write_gated("second", "raise ValueError('broken')")
    second = upgrading(it)
    it.server.send_signal(signal.SIGTERM)
    it.server.wait_log("TERM " + WAITS.format(pid=second))
    assert it.answer()[0] == "first"
    it.gate.touch()
    assert it.server.wait_exit() == 0
    log = lines(it.server, it.server.pid)
    failed = log.index(f"[ERROR] New master (pid:{second}) ended with exit code 3 before")
    stops = log.index("[ERROR] The upgrade has failed, but TERM was meant: stopping")
    assert failed < stops < log.index("Shutting down: Master")
    assert "serves on; USR2" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_does_not_wait(live, upgrading, number):
    it = live(workers=1)
    it.write_gated("second")
    second = upgrading(it)
    it.server.send_signal(signal.SIGTERM)
    it.server.wait_log("TERM waits until")
    it.server.send_signal(number)
    assert it.server.wait_exit() == 0
    it.server.wait_log("Master has been promoted.")
    it.gate.touch()
    assert it.answer()[0] == "second"
    assert int(it.answer()[1]) in children(second)


def test_the_new_master_is_taken_back_while_it_boots(live, upgrading):
    it = live(workers=1)
    it.write_gated("second")
    second = upgrading(it)
    os.kill(second, signal.SIGTERM)
    it.gate.touch()
    it.server.wait_log(f"[INFO] New master (pid:{second}) ended with exit code 0 before")
    assert it.answer()[0] == "first"
    assert "[ERROR]" not in lines(it.server, it.server.pid)


def test_patience_has_an_end(live, tidy):
    it = live(workers=1, config="import rgunicorn.upgrade\nrgunicorn.upgrade._PATIENCE = 0.5\n")
    it.write_gated("second")
    it.server.send_signal(signal.SIGUSR2)
    it.server.send_signal(signal.SIGTERM)
    assert it.server.wait_exit() == 0
    (second,) = set(re.findall(r"ew master \(pid:(\d+)\)", it.server.log()))
    tidy(int(second))
    assert f"(pid:{second}) is not ready after 0 s: nobody waits for it" in it.server.log()
    it.gate.touch()
    assert it.answer()[0] == "second"


def test_a_server_that_knows_nothing_of_this(live, tidy):
    config = (
        "import sys, rgunicorn.upgrade\n"
        "rgunicorn.upgrade._SILENCE = 0.5\n"
        "def when_ready(server):\n"
        "    other = 'import time; print(\"another server\", flush=True); time.sleep(60)'\n"
        "    server.START_CTX['args'] = [sys.executable, '-c', other]\n"
    )
    it = live(workers=1, config=config)
    it.server.send_signal(signal.SIGUSR2)
    it.server.send_signal(signal.SIGTERM)
    log = it.server.wait_log("TERM waits until")
    tidy(int(re.findall(r"the new master \(pid:(\d+)\)", log)[0]))
    assert it.server.wait_exit() == 0
    assert "has said nothing for" in it.server.log()


def test_winch_waits_and_hup_takes_it_back(live, upgrading):
    # In a daemon WINCH stops the workers; a real one would have left the test's session.
    it = live(workers=1, config="def when_ready(server): server.cfg.set('daemon', True)\n")
    (old,) = it.server.workers()
    it.write_gated("second", "raise ValueError('broken')")
    second = upgrading(it)
    it.server.send_signal(signal.SIGWINCH)
    it.server.wait_log("WINCH " + WAITS.format(pid=second))
    it.gate.touch()
    it.server.wait_log("ended with exit code 3")
    assert it.answer()[:2] == ["first", str(old)], "workers do not stop for nobody"
    it.write("third")
    it.server.send_signal(signal.SIGUSR2)
    it.server.wait_log(") is ready\n")
    it.server.send_signal(signal.SIGWINCH)
    until(lambda: old not in children(it.server.pid), "the worker to leave", show=it.server.log)
    assert it.answer()[0] == "third"


def test_during_a_reload(live, upgrading):
    """Both go on: the new master has the listeners of the new configuration."""
    it = live(workers=1)
    it.write_gated("second")
    it.hup()
    it.importing()
    second = upgrading(it)
    it.server.send_signal(signal.SIGTERM)
    it.server.wait_log("TERM waits until")
    assert it.answer()[0] == "first"
    it.gate.touch()
    assert it.server.wait_exit() == 0
    until(lambda: len(children(second)) == 1, "the new worker")
    assert it.answer()[0] == "second"


def test_the_service_manager_hears_of_it_when_it_is_done(live, upgrading, tmp_path):
    manager = Notified(tmp_path)
    it = live(workers=1, env={"NOTIFY_SOCKET": manager.address})
    assert manager.next().lines[0] == "READY=1"
    it.write_gated("second")
    second = upgrading(it)
    it.server.send_signal(signal.SIGTERM)
    it.server.wait_log("TERM waits until")
    assert it.answer()[0] == "first"
    it.gate.touch()
    # The first word since the start: nothing was said while it waited.
    assert manager.next() == (it.server.pid, [f"MAINPID={second}"])
    said = manager.next()
    assert (said.pid, said.lines[:2]) == (second, [f"MAINPID={second}", "READY=1"])
    assert it.server.wait_exit() == 0
    manager.close()


def test_a_variable_that_somebody_else_left_behind(live, order):
    """The number of a descriptor that is none, or no pipe."""
    for value in ("0", "77", "x", "-1"):
        it = live(workers=1, env={"RGUNICORN_UPGRADE_FD": value, "GUNICORN_PID": str(os.getpid())})
        it.server.assert_clean_exit()
