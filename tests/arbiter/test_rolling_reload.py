"""`reload_strategy = "rolling"`: HUP replaces one worker after the other."""

from __future__ import annotations

import pytest

from arbiter.live import FAILED, Live
from arbiter.test_recycling import assert_one_at_a_time
from harness import kinds
from harness.load import load
from harness.wait import until

pytestmark = pytest.mark.ours("reload_strategy")


@pytest.fixture
def live(serve, tmp_path):
    """`live(**options of serve)`: a server of three workers whose application says "first"."""

    def start(**options: object) -> Live:
        it = Live(tmp_path)
        it.write("first")
        options = {"workers": 3, "reload_strategy": "rolling", **options}
        it.server = serve(app="live:application", chdir=str(tmp_path), **options)
        it.server.wait_log("Booting worker", 3)
        until(lambda: it.answer()[0] == "first", "an answer", show=it.server.log)
        return it

    return start


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_nothing_is_lost(serve, tmp_path, kind):
    (tmp_path / "busy.py").write_text("from kitchen import app as application\n")
    settings = {"threads": 4, "workers": 2, **kind.settings, "reload_strategy": "rolling"}
    server = serve(app="busy:application", chdir=str(tmp_path), **settings)
    server.wait_log("Booting worker", 2)
    old = server.workers()
    with load(server.address) as clients:
        clients.wait_answers(20)
        server.send_signal(1)
        until(
            lambda: len(server.workers()) == 2 and not set(old) & set(server.workers()),
            "new workers",
            show=server.log,
        )
        clients.wait_answers(20)
    clients.assert_nothing_lost()
    server.assert_clean_exit()
    assert_one_at_a_time(server, 2)


def test_old_and_new_serve_together(live):
    it = live()
    old = it.server.workers()
    it.write_gated("second")
    it.hup()
    it.importing()
    assert set(old) < set(it.server.workers()) and len(it.server.workers()) == 4
    assert it.answer()[0] == "first"
    it.gate.touch()
    it.replaced(old, 3)
    assert it.answer()[0] == "second"
    it.server.assert_clean_exit()


def test_code_that_does_not_boot_costs_nobody(live):
    it = live()
    workers = it.server.workers()
    it.write("broken", "raise ValueError('broken')")
    it.hup()
    assert it.failed().count("ValueError: broken\n") == 1
    until(lambda: it.server.workers() == workers, "the old workers")
    assert it.answer()[0] == "first"


# Its third import fails, and no other: two new workers serve, and the way back works.
THIRD = """
with open("imports", "a") as file:
    file.write("x")
    file.flush()
    if file.tell() == 3:
        raise ValueError("broken half-way")
"""


def test_a_failure_half_way_is_rolled_back_one_by_one(live):
    it = live(raw_env=["TEXT=old"])
    old = it.server.workers()
    it.write("second", THIRD)
    it.configure("raw_env = ['TEXT=new']")
    it.hup()
    until(lambda: it.answer() and FAILED in it.server.log(), "the failure", show=it.server.log)
    assert "; 2 that are new already serve until old ones are back" in it.failed()
    (left,) = set(old) & set(it.server.workers())
    new = set(it.server.workers()) - {left}

    def is_back() -> bool:
        assert it.answer()
        return len(it.server.workers()) == 3 and not new & set(it.server.workers())

    until(is_back, "the old configuration", show=it.server.log)
    assert {it.answer()[2] for _ in range(12)} == {"old"}
    assert left in it.server.workers()
    it.server.assert_clean_exit()
