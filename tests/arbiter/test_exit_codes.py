"""How the master ends, for every reason it can have."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize(
    ("way", "code", "reason"),
    [
        ("import", 3, "Worker failed to boot."),
        ("syntax", 3, "Worker failed to boot."),
        ("missing", 4, "App failed to load."),
        ("none", 4, "App failed to load."),
    ],
)
def test_app_that_can_not_be_loaded(serve, way, code, reason):
    server = serve(app="fails:application", env={"BREAK": way}, workers=1, ready=False)
    assert server.wait_exit() == code
    log = server.log()
    assert f"exited with code {code}." in log
    assert "[ERROR] Shutting down: Master" in log
    assert log.rstrip().endswith(f"[ERROR] Reason: {reason}")


@pytest.mark.gunicorn_bug("several workers that fail at once: HaltServer traceback and code 1")
@pytest.mark.parametrize(("way", "code"), [("import", 3), ("missing", 4)])
def test_several_workers_fail_at_once(serve, way, code):
    # Three of them are dead before the master looks for the first time.
    config = "def when_ready(server):\n    import time\n    server.slow = time.sleep\n"
    config += "def pre_fork(server, worker):\n    worker.age == 4 and server.slow(1)\n"
    server = serve(
        app="fails:application", env={"BREAK": way}, workers=4, ready=False, config=config
    )
    assert server.wait_exit() == code
    log = server.log()
    assert log.count(f"exited with code {code}.") >= 3
    assert log.count("[ERROR] Shutting down: Master") == 1
    assert "Traceback" not in log.partition("Shutting down")[2]
    assert "HaltServer" not in log


def test_one_that_fails_while_the_server_boots_ends_it(serve):
    """A deployment that comes up in part must be seen, though the others serve already."""
    config = "def post_worker_init(worker):\n    import time\n"
    config += "    if worker.age == 3:\n        time.sleep(1)\n        raise KeyError('last')\n"
    server = serve(config=config, workers=3, ready=False)
    assert server.wait_exit() == 3
    assert "[ERROR] Reason: Worker failed to boot." in server.log()


@pytest.mark.parametrize(
    ("hook", "code", "line"),
    [
        ("on_starting(server)", 1, "KeyError: 'raised in a hook'"),
        ("when_ready(server)", 1, "KeyError: 'raised in a hook'"),
        ("pre_fork(server, worker)", 255, "[ERROR] Unhandled exception in main loop"),
        ("post_fork(server, worker)", 3, "[ERROR] Reason: Worker failed to boot."),
        ("post_worker_init(worker)", 3, "[ERROR] Reason: Worker failed to boot."),
    ],
)
def test_raising_hook(serve, hook, code, line):
    config = f"def {hook}:\n    raise KeyError('raised in a hook')\n"
    server = serve(config=config, workers=1, ready=False)
    assert server.wait_exit() == code
    assert line in server.log()


def test_raising_child_exit(serve):
    config = "def child_exit(server, worker):\n    raise KeyError('raised in a hook')\n"
    config += "def post_worker_init(worker):\n    import os\n    os._exit(9)\n"
    server = serve(config=config, workers=1, ready=False)
    assert server.wait_exit() == 255
    assert "[ERROR] Unhandled exception in main loop" in server.log()


@pytest.mark.gunicorn_bug("child_exit that raises while stopping: traceback and code 1")
def test_raising_child_exit_does_not_keep_others_from_being_stopped(serve):
    config = "def child_exit(server, worker):\n    raise KeyError('raised in a hook')\n"
    server = serve(config=config, workers=3)
    server.wait_log("Booting worker", 3)
    log = server.assert_clean_exit()
    assert log.count("[ERROR] Exception while stopping workers") == 3
    assert log.count("KeyError: 'raised in a hook'") == 3
    assert log.rstrip().endswith("Shutting down: Master")


def test_raising_worker_exit_is_a_warning(serve):
    config = "def worker_exit(server, worker):\n    raise KeyError('raised in a hook')\n"
    server = serve(config=config, workers=1)
    server.wait_log("Booting worker")
    assert "[WARNING] Exception during worker exit:\nTraceback" in server.assert_clean_exit()


def test_preload_that_fails(serve):
    server = serve(app="fails:application", env={"BREAK": "import"}, preload_app=True, ready=False)
    assert server.wait_exit() == 1
    assert "ValueError: broken on import" in server.log()
    assert "Starting" not in server.log(), "preloading comes before everything else"


def test_unknown_worker_class(serve):
    server = serve(worker_class="nowhere.Worker", ready=False)
    assert server.wait_exit() == 1
    assert "Error: class uri 'nowhere.Worker' invalid or not found" in server.log()


def test_check_config_of_the_worker_class_is_asked(serve):
    server = serve(worker_class="picky.PickyWorker", ready=False)
    assert server.wait_exit() == 1
    assert "not with 2 workers" in server.log()


def test_address_in_use(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host, port = taken.getsockname()
        server = serve(bind=f"{host}:{port}", ready=False)
        assert server.wait_exit() == 1
    log = server.log()
    address = f"('{host}', {port})"
    assert log.count(f"[ERROR] Connection in use: {address}") == 5
    assert log.count(f"connection to {address} failed: [Errno 98] Address already in use") == 5
    assert log.rstrip().endswith(f"[ERROR] Can't connect to {address}")


def test_address_that_is_not_ours(serve):
    server = serve(bind="192.0.2.1:8000", ready=False)
    assert server.wait_exit() == 1
    assert "[ERROR] Invalid address: ('192.0.2.1', 8000)" in server.log()


@pytest.mark.gunicorn_bug("dies in every worker, for ever")
def test_address_in_use_with_reuse_port(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host, port = taken.getsockname()
        server = serve(bind=f"{host}:{port}", reuse_port=True, ready=False)
        assert server.wait_exit() == 1
    assert f"[ERROR] Can't connect to ('{host}', {port})" in server.log()
    assert "Booting worker" not in server.log()


BACK_OFF = "[ERROR] Workers die soon after boot, the last one was (pid:"


@pytest.mark.gunicorn_bug("respawns as fast as it can fork")
@pytest.mark.parametrize("threads", [1, 2], ids=["sync", "gthread"])
@pytest.mark.parametrize("seconds", [0, 0.3], ids=["never ready", "soon after"])
def test_workers_that_die_soon_are_forked_less_and_less(serve, order, seconds, threads):
    """M10; the sibling has no part in it."""
    config = (
        "def post_worker_init(worker):\n"
        "    import os, threading\n"
        f"    if worker.age == 1: return\n"
        f"    threading.Timer({seconds}, os._exit, (9,)).start() if {seconds} else os._exit(9)\n"
    )
    server = serve(config=config, workers=2, threads=threads, ready=False)
    log = server.wait_log(BACK_OFF, 3)
    pauses = [line.rpartition(" in ")[2] for line in log.splitlines() if BACK_OFF in line]
    assert pauses[:3] == ["0.5 s at most", "1.0 s at most", "2.0 s at most"]
    pid = order(server, "/pid")
    assert f"Worker (pid:{pid}) exited" not in log
    assert order(server, "/pid") == pid
    server.assert_clean_exit()


def test_halt_server_raised_by_an_application(serve):
    config = (
        "def post_worker_init(worker):\n"
        "    from gunicorn.errors import HaltServer\n"
        "    raise HaltServer('enough', 4)\n"
    )
    server = serve(config=config, workers=1, ready=False)
    assert server.wait_exit() == 4
    assert "Shutting down: Master" in server.log()
