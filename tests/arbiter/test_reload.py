"""HUP: what a new configuration changes, and what a wrong one does not."""

from __future__ import annotations

import re
import signal

import pytest

from harness.server import free_port
from harness.wait import until
from harness.wire import Wire, get


def rewrite(server, old: str, new: str) -> None:
    path = server.directory / "gunicorn.conf.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def reload(server, count: int = 1) -> None:
    server.send_signal(signal.SIGHUP)
    server.wait_log("Hang up: Master", count)


def wait_replaced(server, old: list[int], count: int) -> list[int]:
    def replaced() -> bool:
        now = server.workers()
        return len(now) == count and not set(old) & set(now)

    until(replaced, f"{count} new workers", show=server.log)
    return server.workers()


def test_new_number_of_workers(serve):
    server = serve(workers=1)
    old = server.workers()
    rewrite(server, "workers = 1", "workers = 3")
    reload(server)
    wait_replaced(server, old, 3)


def test_new_environment_and_the_old_one_back(serve, order):
    server = serve(workers=1, raw_env=["A=one", "B=first"], env={"B": "original"})
    assert [order(server, f"/env/{name}") for name in "AB"] == ["one", "first"]
    old = server.workers()
    rewrite(server, "['A=one', 'B=first']", "['C=three']")
    reload(server)
    wait_replaced(server, old, 1)
    assert [order(server, f"/env/{name}") for name in "ABC"] == ["None", "original", "three"]


def test_new_code_is_imported(serve, order, tmp_path):
    app = tmp_path / "live.py"
    text = "def application(environ, start_response):\n    start_response('200 OK', [])\n"
    app.write_text(text + "    return [b'old']\n")
    server = serve(app="live:application", chdir=str(tmp_path), workers=1)
    assert order(server, "/") == "old"
    old = server.workers()
    app.write_text(text + "    return [b'new']\n")
    reload(server)
    wait_replaced(server, old, 1)
    assert order(server, "/") == "new"


def test_preloaded_code_stays(serve, order, tmp_path):
    app = tmp_path / "live.py"
    text = "def application(environ, start_response):\n    start_response('200 OK', [])\n"
    app.write_text(text + "    return [b'old']\n")
    server = serve(app="live:application", chdir=str(tmp_path), workers=1, preload_app=True)
    old = server.workers()
    app.write_text(text + "    return [b'new']\n")
    reload(server)
    wait_replaced(server, old, 1)
    assert order(server, "/") == "old"


def test_new_address(serve, order):
    server = serve(workers=1)
    old, port = server.workers(), free_port()
    rewrite(server, server.bind, f"127.0.0.1:{port}")
    reload(server)
    server.wait_log(f"Listening at: http://127.0.0.1:{port}\n")
    new = wait_replaced(server, old, 1)
    assert order(server, "/pid", ("127.0.0.1", port)) == str(new[0])


@pytest.mark.gunicorn_bug("closes all and can not bind what the old workers still listen on")
def test_address_that_stays_is_kept(serve, order):
    server = serve(workers=1)
    old, port = server.workers(), free_port()
    rewrite(server, f"'{server.bind}'", f"['{server.bind}', '127.0.0.1:{port}']")
    reload(server)
    server.wait_log(f"Listening at: {server.url},http://127.0.0.1:{port}\n")
    new = wait_replaced(server, old, 1)
    for address in (server.address, ("127.0.0.1", port)):
        assert order(server, "/pid", address) == str(new[0])


@pytest.mark.gunicorn_bug("the master exits and leaves its workers behind")
@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [
        ("workers = 2", "workers = 'many'"),
        ("workers = 2", "workers = ="),
        ("'tiny.TinyWorker'", "'nowhere.Worker'"),
        ("['A=one']", "['NO']"),
        ("workers = 2", "workers = 2; bind = '192.0.2.1:80'"),
    ],
    ids=["value", "syntax", "worker-class", "raw_env", "bind"],
)
def test_bad_configuration_keeps_the_old_one(serve, order, old_text, new_text):
    server = serve(workers=2, raw_env=["A=one"], worker_class="tiny.TinyWorker")
    server.wait_log("Booting worker", 2)
    workers = server.workers()
    rewrite(server, old_text, new_text)
    reload(server)
    server.wait_log("[ERROR] Reload failed, the old configuration stays in force")
    assert server.workers() == workers
    assert order(server, "/env/A") == "one"
    # And the mended file counts.
    rewrite(server, new_text, "workers = 3" if "workers" in old_text else old_text)
    reload(server, 2)
    new = wait_replaced(server, workers, 3 if "workers" in old_text else 2)
    assert order(server, "/env/A") == "one"
    assert new
    server.assert_clean_exit()


@pytest.mark.ours("says at the stop what has become of the last reload")
def test_the_last_word_about_a_file_that_could_not_be_read(serve):
    server = serve(workers=1)
    rewrite(server, "workers = 1", "workers = (")
    reload(server)
    server.wait_log("[ERROR] Reload failed, the old configuration stays in force")
    log = server.assert_clean_exit()
    assert "SyntaxError: " in log
    assert "never made good: the configuration could not be used; the lines before say why" in log


@pytest.mark.gunicorn_bug("hears nothing until the old workers are gone")
def test_master_listens_while_old_workers_end(serve, accepted):
    server = serve(workers=1, graceful_timeout=60)
    old = server.workers()
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        reload(server)
        server.wait_log("Booting worker", 2)
        server.send_signal(signal.SIGTTIN)
        until(lambda: len(server.workers()) == 3, "old, new and one more", show=server.log)
        assert set(old) < set(server.workers())
        log = server.assert_clean_exit(signal.SIGINT)
    assert "SIGKILL" not in log


@pytest.mark.gunicorn_bug("sends SIGTERM again each second, for ever")
def test_old_worker_that_outlives_graceful_timeout_is_killed(serve, accepted):
    server = serve(workers=1, graceful_timeout=1)
    old = server.workers()
    with Wire(server.address) as wire:
        wire.send(get("/sleep/60"))
        accepted(server)
        reload(server)
        server.wait_log(f"Worker (pid:{old[0]}) was sent SIGKILL!")
    wait_replaced(server, old, 1)


def test_old_worker_is_told_to_leave_once(serve, accepted):
    config = (
        "def post_worker_init(worker):\n"
        "    import signal\n"
        "    def leave(sig, frame):\n"
        "        worker.log.info('told to leave')\n"
        "        worker.handle_exit(sig, frame)\n"
        "    signal.signal(signal.SIGTERM, leave)\n"
    )
    server = serve(workers=1, graceful_timeout=30, config=config)
    server.wait_log("Booting worker")
    with Wire(server.address) as wire:
        wire.send(get("/sleep/3"))
        accepted(server)
        reload(server)
        wire.read_to_close()
    server.wait_log("Worker exiting")
    assert server.log().count("told to leave") == 1


def test_reloads_in_a_row(serve, order):
    server = serve(workers=2)
    for count in range(1, 6):
        reload(server, count)
    until(lambda: len(server.workers()) == 2, "two workers", show=server.log)
    assert order(server, "/pid") in map(str, server.workers())
    log = server.assert_clean_exit()
    booted = re.findall(r"Booting worker with pid: (\d+)", log)
    assert len(booted) == len(set(booted)) <= 12


def test_broken_log_configuration_keeps_the_old_one(serve):
    server = serve(workers=1)
    rewrite(server, "workers = 1", "workers = 1; logconfig_dict = {'version': 77}")
    reload(server)
    server.wait_log("reloading the logger configuration failed, keeping the previous one")
    server.wait_log("Booting worker", 2)
    server.assert_clean_exit()


def test_no_request_is_lost(serve, order):
    server = serve(workers=2)
    for count in range(1, 4):
        reload(server, count)
        assert all(order(server, "/pid") for _ in range(30))
