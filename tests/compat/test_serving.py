"""Differences in serving that no other suite states, in both workers."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

import rgunicorn
from harness.mode import Mode
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, ask, exchange, get

pytestmark = pytest.mark.only("none of this depends on the transport", "tcp")

LARGE = 20 << 20
"""Above what is read before the application starts."""


@pytest.mark.ours("bodies are read before the application starts, up to 16 MiB")
def test_a_large_body_cut_short_raises_in_the_application(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode)
    raw = get("/call?read=", f"Content-Length: {LARGE}", method="POST")
    with Wire(server.address) as wire:
        wire.send(raw + bytes(17 << 20)).half_close()
        assert json.loads(wire.response().body) == ["NoMoreData"]


@pytest.mark.ours("sync_keepalive", "sync")
@pytest.mark.gunicorn_bug("from the second request on REMOTE_ADDR is the proxy", "gthread")
def test_proxy_information_stays_with_the_connection(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, settings={"proxy_protocol": "v1", **mode.keep_alive})
    with Wire(server.address) as wire:
        wire.send(b"PROXY TCP4 203.0.113.9 192.0.2.7 4711 443\r\n")
        for _ in range(3):
            wire.send(get("/environ"))
            environ = {name: value for name, (_, value) in json.loads(wire.response().body).items()}
            assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("203.0.113.9", "4711")


@pytest.mark.gunicorn_bug("writes its 500 page into the stream")
def test_nothing_follows_what_the_application_wrote_itself(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:speaks_for_itself", mode)
    assert exchange(server.address, get("/")) == b"mine alone"
    # What it raised is told all the same.
    assert "Error handling request GET /" in server.wait_log("after the upgrade")


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")


@pytest.mark.gunicorn_bug("writes the answer into the stream")
def test_no_answer_goes_into_an_upgraded_connection(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:answers_after_all", mode)
    # That it ends although the application keeps its socket is a part of it.
    assert exchange(server.address, get("/", *UPGRADE)) == b"mine first\n"


@pytest.mark.gunicorn_bug("reports its own failure to write there")
def test_a_socket_that_was_given_away_stays_so(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:hands_over", mode)
    assert exchange(server.address, get("/")) == b"from its new owner"


def test_an_answer_after_words_of_its_own_is_sent(spawn: Spawn, mode: Mode) -> None:
    """Without an upgrade: a `102 Processing`, say, and then the response."""
    server = spawn("compat:answers_after_all", mode)
    with Wire(server.address) as wire:
        wire.send(get("/"))
        assert wire.read_until(b"\n") == b"mine first\n"
        assert (wire.response().status, bytes(wire.received[-4:])) == (500, b"page")


FLOOD = 900


@pytest.mark.ours("many connections at once")
def test_a_flood_of_bad_requests_does_not_flood_the_log(spawn: Spawn) -> None:
    server = spawn("kitchen:app")
    gate = server.directory / "gate"
    floods = [Wire(server.address).send(b"G") for _ in range(FLOOD)]
    with Wire(server.address) as busy:
        # Accepted after all of them: each is known to the loop when the application is entered.
        busy.send(get(f"/gate{gate}"))
        server.wait_log("in the gate")
        for wire in floods:
            wire.send(b"ARBAGE\r\n\r\n")
        gate.touch()
        assert busy.response().status == 200

    def said_and_left_out() -> tuple[int, int]:
        log = server.log()
        left_out = sum(map(int, re.findall(r"(\d+) more messages left out", log)))
        return log.count("Invalid request from ip=127.0.0.1"), left_out

    until(lambda: sum(said_and_left_out()) == FLOOD, "all to be told", show=server.log)
    # 100 a second, and they did not all come in one.
    assert said_and_left_out()[0] <= FLOOD // 2
    for wire in floods:
        # Every one has its answer all the same.
        assert wire.response().status == 400
        wire.close()


@pytest.mark.gunicorn_bug("notices after half of `timeout`")
def test_a_worker_leaves_with_its_master_whatever_the_timeout(spawn: Spawn, mode: Mode) -> None:
    server = spawn("kitchen:app", mode, settings={"timeout": 3600})
    (worker,) = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    server.wait_exit()
    until(lambda: "Worker exiting" in server.log(), f"worker {worker} to leave", show=server.log)
    assert "Parent changed, shutting down: <Worker" in server.log()


@pytest.mark.ours("the name and the version")
def test_the_package_says_its_own_version(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:versions", mode)
    version, info, software = json.loads(ask(server.address, get("/")).body)
    # Programs look at these to know what they may use.
    assert (version, info) == ("27.0.1", [27, 0, 1])
    assert software == f"gunicorn/27.0.1 rgunicorn/{rgunicorn.__version__}"
    assert f"Starting rgunicorn {rgunicorn.__version__}" in server.log()


@pytest.mark.ours("Gunicorn answers every request with a 500")
@pytest.mark.parametrize("app", ["asynchronous", "asynchronous_object"])
def test_an_asgi_application_is_refused(spawn: Spawn, mode: Mode, app: str) -> None:
    server = spawn(f"compat:{app}", mode, ready=False)
    assert server.wait_exit() == 4
    log = server.log()
    assert f"the {mode.worker} worker serves WSGI applications. Use worker_class = 'asgi'" in log
    assert "Traceback" not in log


@pytest.mark.gunicorn_bug("closes without an answer, as if the client's connection had broken")
def test_an_os_error_of_the_application_is_its_own(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:another_socket_breaks", mode)
    assert ask(server.address, get("/")).status == 500
    assert "Error handling request GET /" in server.wait_log("the database is gone")


@pytest.mark.ours("bodies are read before the application starts, up to 16 MiB")
def test_a_client_that_leaves_inside_a_large_body_is_no_error(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:reads_all", mode, settings={"loglevel": "debug"})
    with Wire(server.address) as wire:
        raw = get("/", f"Content-Length: {LARGE}", method="POST")
        wire.send(raw + bytes(17 << 20)).half_close()
        assert wire.read_to_close() == b""
    log = server.wait_log("Ignored premature client disconnection.")
    assert "Error handling request" not in log


def test_headers_that_call_back_harm_nobody(spawn: Spawn, mode: Mode) -> None:
    server = spawn("compat:calls_back", mode)
    workers = server.workers()
    assert ask(server.address, get("/")).status == 500
    assert ask(server.address, get("/")).status == 500
    assert server.workers() == workers
