"""What is there before the first fork: frozen objects, threads that a fork would lose."""

from __future__ import annotations

import re
import signal
import threading

import pytest

from harness.wait import until
from harness.wire import ask, get
from rgunicorn import preload

pytestmark = pytest.mark.ours("Gunicorn neither freezes nor looks for threads")

APP = """
import gc, os, weakref

class Node: pass
garbage = Node()
garbage.itself = garbage
alive = weakref.ref(garbage)
del garbage

def application(environ, start_response):
    body = f"{os.getpid()} {gc.get_freeze_count()} {alive() is None}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""

THREADS = """
import threading
done = threading.Event()
for name in ("refresher", "sender"):
    threading.Thread(target=done.wait, name=name, daemon=True).start()
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""

WARNING = "[WARNING] Threads are alive where workers are forked: 'refresher', 'sender'."


@pytest.fixture
def app(serve, tmp_path):
    def start(text: str, **settings: object):
        (tmp_path / "own.py").write_text("import gc\ngc.disable()\n" + text)
        settings = {"chdir": str(tmp_path), "workers": 2, **settings}
        return serve(app="own:application", **settings)

    return start


def frozen(server) -> tuple[int, bool]:
    _, count, collected = ask(server.address, get("/")).body.decode().split()
    return int(count), collected == "True"


def test_a_preloaded_application_is_frozen(app):
    server = app(APP, preload_app=True, loglevel="debug")
    count, collected = frozen(server)
    assert count > 1000
    assert collected, "garbage is collected before: frozen it would stay"
    said = int(re.findall(r"preload_freeze: (\d+) objects", server.log())[0])
    assert abs(said - count) < said / 10
    server.assert_clean_exit()


@pytest.mark.parametrize("settings", [{"preload_app": True, "preload_freeze": False}, {}], ids=str)
def test_nothing_else_is(app, settings):
    server = app(APP, **settings)
    assert frozen(server) == (0, False)
    server.assert_clean_exit()


def test_again_when_a_reload_preloads(app, tmp_path):
    """HUP turns preload_app on, and off."""
    server = app(APP, loglevel="debug", workers=1)
    assert frozen(server)[0] == 0
    config = server.directory / "gunicorn.conf.py"
    text = config.read_text()
    for count, (setting, wanted) in enumerate([("True", True), ("False", False)], 1):
        config.write_text(text + f"preload_app = {setting}\n")
        server.send_signal(signal.SIGHUP)
        server.wait_log("Hang up: Master", count)
        until(
            lambda wanted=wanted: (frozen(server)[0] > 0) == wanted, "a new worker", show=server.log
        )
    server.assert_clean_exit()


def test_threads_are_named_once(app):
    server = app(THREADS, preload_app=True, workers=3)
    server.wait_log("Booting worker", 3)
    log = server.log()
    assert log.count(WARNING) == 1, log
    assert "start threads in post_fork or post_worker_init" in log
    assert log.index(WARNING) < log.index("Booting worker")
    server.assert_clean_exit()


def test_no_threads_no_warning(app):
    server = app(THREADS)
    server.wait_log("Booting worker", 2)
    assert "Threads are alive" not in server.assert_clean_exit()


def test_threads_in_words(monkeypatch):
    # pytest-xdist has threads that Python does not know.
    monkeypatch.setattr(preload, "_count", threading.active_count)
    assert preload.threads() is None or threading.active_count() > 1
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="refresher")
    before = preload.threads() or ""
    thread.start()
    try:
        assert "'refresher'" in (preload.threads() or "")
        monkeypatch.setattr(preload, "_count", lambda: threading.active_count() + 4)
        assert "4 that Python does not know" in (preload.threads() or "")
        # Without /proc there are those that Python knows.
        monkeypatch.setattr(preload, "_count", lambda: 0)
        assert "'refresher'" in (preload.threads() or "")
        assert "does not know" not in (preload.threads() or "")
    finally:
        done.set()
        thread.join()
    assert "refresher" not in before
