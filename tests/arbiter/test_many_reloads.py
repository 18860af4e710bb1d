"""HUPs that come while a reload is going on: they become one more, or take its place."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from arbiter.live import FAILED, IMPATIENT, STAYED
from harness.wait import until

pytestmark = pytest.mark.ours("Gunicorn's old workers leave when the new ones are forked")


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
