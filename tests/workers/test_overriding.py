"""Subclasses of the native workers that override what Gunicorn calls for each request, and a worker
with a loop of its own: served by a loop in Python, on both servers alike."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from harness.server import Server, Spawn
from harness.wire import Wire, ask, exchange, get, post

pytestmark = pytest.mark.only("none of this depends on the transport", "tcp")


def seen(server: Server, raw: bytes = b"") -> dict[str, Any]:
    answer = ask(server.address, raw or get("/a%20b?c"))
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def start(spawn: Spawn, worker: str, **settings: Any) -> Server:
    return spawn("overriding:app", settings={"worker_class": f"overriding.{worker}"} | settings)


def test_handle_request_of_a_sync_worker(spawn: Spawn) -> None:
    server = start(spawn, "Sync", accesslog="-", max_requests=3)
    found = seen(server, post("/x", b"body"))
    assert found["HTTP_X_ADDED"].endswith(" POST")
    assert (found["HTTP_X_PEER_CERT"], found["body"]) == ("False", "body")
    assert found["wsgi.multithread"] is False
    assert ask(server.address, b"BROKEN\r\n\r\n").status == 400
    assert ask(server.address, get("/raise")).status == 500
    (worker,) = server.workers()
    assert seen(server)["PATH_INFO"] == "/a b"
    log = server.wait_log("Autorestarting worker after current request.")
    assert log.count('"POST /x HTTP/1.1" 200') == 1
    server.wait_log("Booting worker", 2)
    assert server.workers() != [worker]
    server.assert_clean_exit()


@pytest.mark.ours("says so at boot")
def test_the_log_says_why_the_native_loop_is_not_used(spawn: Spawn) -> None:
    server = start(spawn, "Sync")
    assert seen(server)
    words = "Sync overrides handle_request: requests go through a loop in Python that calls it"
    assert server.log().count(words) == 1


def test_handle_error_alone(spawn: Spawn) -> None:
    server = start(spawn, "Errors")
    assert ask(server.address, get("/raise")).status == 500
    assert ask(server.address, b"BROKEN\r\n\r\n").status == 400
    server.wait_log("told of RuntimeError")
    server.wait_log("told of InvalidRequest")


def test_handle_of_a_sync_worker_with_two_listeners(spawn: Spawn) -> None:
    server = spawn(
        "overriding:app",
        settings={"worker_class": "overriding.Waits"},
        config="bind = [bind, 'unix:second.sock']",
    )
    assert seen(server)["REMOTE_ADDR"] == "127.0.0.1"
    path = str(server.directory / "second.sock")
    second = json.loads(ask(path, get("/")).body)
    assert second["REMOTE_ADDR"] == ""
    server.wait_log("end of", 2)
    server.assert_clean_exit()


def test_pool_and_handle_request_of_a_thread_worker(spawn: Spawn) -> None:
    server = start(spawn, "Threads", threads=2, keepalive=20, accesslog="-")
    with Wire(server.address) as wire:
        for _ in range(2):
            found = json.loads(wire.send(post("/", b"12345")).response().body)
            assert found["HTTP_X_ADDED"] == f"{server.address[1]} 127.0.0.1"
            assert found["thread"].startswith("mine")
            assert found["wsgi.multithread"] is True
        # Two requests at once: the second is there before the first is answered.
        wire.send(get("/1") + get("/2"))
        assert [json.loads(wire.response().body)["PATH_INFO"] for _ in "12"] == ["/1", "/2"]
    assert ask(server.address, get("/raise")).status == 500
    assert exchange(server.address, b"BROKEN\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert server.wait_log('"GET /2 HTTP/1.1" 200').count('"GET /2 HTTP/1.1" 200') == 1


@pytest.mark.gunicorn_bug("murder_keepalived(force=True) fails on an override without it: 255")
def test_a_thread_worker_leaves_though_a_client_stays(spawn: Spawn) -> None:
    server = start(spawn, "Threads", threads=2, keepalive=20)
    with Wire(server.address) as wire:
        assert wire.send(get("/")).response().status == 200
        log = server.assert_clean_exit()
    assert "exited with code" not in log


@pytest.mark.gunicorn_bug("half-sent requests hold all threads for good")
def test_half_sent_requests_do_not_hold_the_threads(spawn: Spawn) -> None:
    server = start(spawn, "Threads", threads=1, client_header_timeout=1)
    with Wire(server.address) as wire:
        wire.send(b"GET / HTTP/1.1\r\n")
        assert seen(server)["PATH_INFO"] == "/a b"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGQUIT], ids=lambda sig: sig.name)
def test_a_loop_of_its_own(spawn: Spawn, stop: signal.Signals) -> None:
    server = start(spawn, "OwnLoop")
    found = seen(server, post("/x?y=1", b"some"))
    assert (found["QUERY_STRING"], found["body"]) == ("y=1", "some")
    assert ask(server.address, get("/raise")).status == 500
    assert ask(server.address, get("/", "Transfer-Encoding: x", method="POST")).status == 501
    (worker,) = server.workers()
    server.send_signal(signal.SIGHUP)
    server.wait_log("Booting worker", 2)
    assert seen(server)
    os.kill(server.workers()[-1], 0)
    assert worker
    server.assert_clean_exit(stop)
