"""What else happens while the old workers wait for the new ones: a stop, other numbers, deaths."""

from __future__ import annotations

import os
import signal

import pytest

from arbiter.live import FAILED, STAYED
from harness.wait import until

pytestmark = pytest.mark.ours("Gunicorn's old workers leave when the new ones are forked")


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
