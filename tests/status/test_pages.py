"""The pages of one server: what they say, to whom, and that nobody can keep them from others."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from harness.server import Server
from harness.status import Pages, inodes, process_of, read_all
from harness.wait import until
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("Gunicorn has no status pages")


@pytest.fixture(scope="module", params=["tcp", "unix"])
def site(shared, request: pytest.FixtureRequest) -> tuple[Server, Pages]:
    unix = request.param == "unix"
    if unix:
        return shared(unix=True, worker_class="gthread", threads=2)
    return shared()


def test_each_page_answers_curl(site) -> None:
    _, pages = site
    assert pages.curl("/healthz") == (200, "ok\n")
    status, body = pages.curl("/readyz")
    assert (status, body.splitlines()[0]) == (200, "ready")
    assert [line.split(",")[0] for line in body.splitlines()[1:]] == [
        "server: ok",
        "workers: ok",
        "queue: ok",
        "threads: ok",
    ]
    status, body = pages.curl("/metrics", "-i")
    assert status == 200 and "\nContent-Type: text/plain; version=0.0.4" in body
    assert "\nrgunicorn_build_info{" in body
    assert json.loads(pages.curl("/stats")[1])["version"].startswith("rgunicorn-")
    assert pages.curl("/")[0] == 200
    status, body = pages.curl("/admin")
    assert status == 404 and "/readyz" in body


def test_heads_have_no_body(site) -> None:
    _, pages = site
    for path in ("/healthz", "/readyz", "/stats", "/metrics"):
        status, text = pages.curl(path, "-I")
        assert status == 200, path
        head, _, body = text.partition("\n\n")
        assert "\nCache-Control: no-store" in head and not body.strip(), text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(site, method: str) -> None:
    _, pages = site
    status, text = pages.curl("/healthz", "-i", "-X", method, "-d", "x" * 3000)
    assert status == 405 and "\nAllow: GET, HEAD\n" in text


def test_who_says_nothing_is_told_the_stats(site) -> None:
    server, pages = site
    with pages.connect() as wire:
        document = json.loads(read_all(wire))
    assert document["pid"] == server.pid
    # One that has said that it will not speak need not wait.
    with pages.connect() as wire:
        wire.shutdown(socket.SHUT_WR)
        assert json.loads(read_all(wire))["pid"] == server.pid


def test_the_stats_are_about_this_server(site) -> None:
    server, pages = site
    found = pages.stats()
    assert found["pid"] == server.pid and found["cwd"] == os.path.realpath(server.directory)
    assert [socket["name"] for socket in found["sockets"]] == [server.bind.removeprefix("unix:")]
    assert found["sockets"][0]["max_queue"] > 0
    workers = {worker["pid"] for worker in found["workers"]}
    assert workers == set(server.workers()) - {process_of(server)}
    for worker in found["workers"]:
        assert worker["accepting"] == 1 and worker["status"] in ("idle", "busy")
        assert worker["rss"] > 1 << 20 and worker["vsz"] > worker["rss"]
        assert worker["last_spawn"] > 1_700_000_000 and worker["respawn_count"] == 1
    assert found["rgunicorn"]["course"] == "serving"


def test_a_number_is_a_whole_number_and_nothing_is_null(site) -> None:
    _, pages = site

    def check(value: object, path: str) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                check(item, f"{path}.{name}")
        elif isinstance(value, list):
            for item in value:
                check(item, path + "[]")
        else:
            assert isinstance(value, str) or type(value) is int, path

    check(pages.stats(), "")
    assert "vassals" not in pages.stats()


def test_requests_are_counted_exactly(site) -> None:
    server, pages = site
    before = sum(worker["requests"] for worker in pages.stats()["workers"])
    for _ in range(20):
        with Wire(server.address) as wire:
            wire.send(get("/path"))
            wire.response()

    def counted() -> int:
        return sum(worker["requests"] for worker in pages.stats()["workers"]) - before

    until(lambda: counted() >= 20, "20 requests", show=lambda: str(counted()))
    assert counted() == 20


def test_the_process_has_next_to_nothing(site) -> None:
    server, pages = site
    pid = process_of(server)
    status = Path(f"/proc/{pid}/status").read_text()
    assert "\nThreads:\t1\n" in status and "\nNoNewPrivs:\t1\n" in status
    if os.geteuid() == 0:
        assert "\nUid:\t0\t" not in status and "\nGroups:\t \n" in status
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max open files            128" in limits
    # Its own listener, perhaps a client; not one socket of the application's.
    of_master = inodes(server.pid)
    of_workers = set().union(*(inodes(worker["pid"]) for worker in pages.stats()["workers"]))
    shared = inodes(pid) & of_master
    assert len(shared) == 1, shared
    assert not inodes(pid) & of_workers
    assert len(of_master & of_workers) >= 1, "the application's listener is with master and workers"


def test_rude_clients_keep_nobody_from_asking(site) -> None:
    server, pages = site
    pid = process_of(server)

    def memory() -> int:
        line = next(
            line
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmRSS:")
        )
        return int(line.split()[1]) * 1024

    before = memory()
    rude = []
    for n in range(150):
        wire = pages.connect()
        wire.setblocking(False)
        rude.append(wire)
        if n % 3 == 0:
            wire.send(b"GET /stats HTTP/1.1\r\nX: ")
        elif n % 3 == 1:
            # Never read.
            wire.send(b"GET /metrics HTTP/1.1\r\n\r\n" * 20)
        if n % 10 == 0:
            assert pages.ask("/healthz") == (200, "ok\n")
    for wire in rude[::3]:
        try:
            for _ in range(20):
                wire.send(b"y" * 4096)
        except OSError:
            pass  # refused, or given up for somebody else
    for _ in range(10):
        assert pages.ask("/healthz") == (200, "ok\n")
    for wire in rude:
        wire.close()
    assert process_of(server) == pid
    assert memory() - before < 16 << 20


@pytest.mark.parametrize("site", ["tcp"], indirect=True)
def test_a_half_open_head_is_cut_off(site) -> None:
    _, pages = site
    with pages.connect() as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost")
        assert wire.recv(1) == b""
