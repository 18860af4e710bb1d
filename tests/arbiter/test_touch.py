"""`touch_reload`: files whose change reloads the server, and `Touch`, which looks at them."""

from __future__ import annotations

import logging
import os
from types import SimpleNamespace

import pytest

from harness.wait import until
from rgunicorn import touch

pytestmark = pytest.mark.ours("touch_reload")

LOG = logging.getLogger("tests.touch")


def test_a_file_that_is_touched_reloads(live, tmp_path):
    flag, later, other = tmp_path / "flag", tmp_path / "later", tmp_path / "other"
    flag.touch()
    it = live(workers=1, touch_reload=["flag", str(later)])
    it.write("second")
    os.utime(flag, (1, 1))
    it.server.wait_log(f"Reload: {flag} has changed (touch_reload)")
    until(lambda: it.answer()[0] == "second", "the new code", show=it.server.log)
    # One that was not there.
    it.write("third")
    later.touch()
    it.server.wait_log(f"Reload: {later} has changed (touch_reload)")
    until(lambda: it.answer()[0] == "third", "the new code", show=it.server.log)
    # The new list counts, and what is no more in it does not.
    it.configure(f"touch_reload = [{str(other)!r}]")
    before = it.answer()[1]
    it.hup()
    until(lambda: it.answer()[1] != before, "the next worker", show=it.server.log)
    os.utime(flag, (2, 2))
    it.write("fourth")
    other.touch()
    it.server.wait_log(f"Reload: {other} has changed (touch_reload)")
    until(lambda: it.answer()[0] == "fourth", "the new code", show=it.server.log)
    log = it.server.assert_clean_exit()
    assert log.count("(touch_reload)") == 3
    assert log.count("Booting worker") == 5


def test_a_reload_that_fails_comes_again_with_the_next_touch(live, tmp_path):
    flag = tmp_path / "flag"
    it = live(workers=1, touch_reload=["flag"])
    it.write("broken", "raise ValueError('broken')")
    flag.touch()
    it.failed()
    assert it.answer()[0] == "first"
    it.write("second")
    os.utime(flag, (1, 1))
    until(lambda: it.answer()[0] == "second", "the mended code", show=it.server.log)


def test_a_touch_during_a_reload_is_not_lost(live, tmp_path):
    flag = tmp_path / "flag"
    it = live(workers=1, touch_reload=["flag"])
    it.write_gated("second")
    it.hup()
    it.importing()
    it.write("third")
    flag.touch()
    it.server.wait_log("another one follows it")
    it.gate.touch()
    until(lambda: it.answer()[0] == "third", "the latest code", show=it.server.log)


@pytest.fixture
def watch(tmp_path, monkeypatch):
    monkeypatch.setattr(touch, "_PERIOD", 0)
    cfg = SimpleNamespace(chdir=str(tmp_path), touch_reload=["a", "b"])
    watch = touch.Touch()
    watch.learn(cfg, LOG)
    return SimpleNamespace(cfg=cfg, touch=watch, look=lambda: watch.look(cfg, LOG))


def test_what_is_a_change(watch, tmp_path):
    a = tmp_path / "a"
    assert watch.look() is None
    a.write_text("one")
    assert watch.look() == str(a)
    assert watch.look() is None
    os.utime(a, (5, 5))
    assert watch.look() == str(a), "touched, to an older time"
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", (5, 5))
    os.rename(tmp_path / "new", a)
    assert watch.look() == str(a), "another file of that name, as old as the first"
    a.unlink()
    assert watch.look() is None, "gone"
    a.write_text("two")
    assert watch.look() == str(a), "there again"


def test_a_link_that_points_elsewhere(watch, tmp_path):
    for release in ("r1", "r2"):
        (tmp_path / release).mkdir()
        os.utime(tmp_path / release, (5, 5))
    (tmp_path / "a").symlink_to("r1")
    assert watch.look() == str(tmp_path / "a")
    (tmp_path / "next").symlink_to("r2")
    os.rename(tmp_path / "next", tmp_path / "a")
    assert watch.look() == str(tmp_path / "a")


def test_what_a_reload_has_seen_needs_no_other(watch, tmp_path):
    (tmp_path / "a").touch()
    watch.touch.note(watch.cfg, LOG)
    assert watch.look() is None
    # A list that is taken over forgets no change of a file that it keeps.
    (tmp_path / "b").touch()
    watch.cfg.touch_reload = ["b", "c"]
    watch.touch.learn(watch.cfg, LOG)
    assert watch.look() == str(tmp_path / "b")
    (tmp_path / "a").write_text("changed")
    assert watch.look() is None


def test_one_that_can_not_be_looked_at_is_named_once(watch, tmp_path, caplog):
    loop = tmp_path / "a"
    loop.symlink_to("a")
    for _ in range(3):
        assert watch.look() is None
    (record,) = caplog.records
    assert "touch_reload can not look at a file" in record.message
    assert str(loop) in record.message


def test_looks_are_a_second_apart(tmp_path, monkeypatch):
    looks = []
    monkeypatch.setattr(touch.time, "monotonic", lambda: 100 + len(looks) / 10)
    monkeypatch.setattr(touch.os, "stat", lambda path: looks.append(path) or os.lstat("/"))
    cfg = SimpleNamespace(chdir=str(tmp_path), touch_reload=["a"])
    watch = touch.Touch()
    watch.learn(cfg, LOG)
    for _ in range(50):
        watch.look(cfg, LOG)
    assert len(looks) == 2, "one when it began, one when a second had passed: the clock stood still"
