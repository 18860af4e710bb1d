"""`request_id_header`: what a request is called, by whom, and where it is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from harness.server import Server, Spawn
from harness.uwsgi import request as packet
from harness.wire import Response, Wire, ask, get

pytestmark = [
    pytest.mark.ours("request_id_header"),
    pytest.mark.only("the name does not depend on the transport", "tcp"),
]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEADER = "X-Request-ID"

# A worker that has its own `handle_request` is served by the loop in Python.
LOOPED = {
    "sync": "class Looped(Base):\n    def handle_request(self, *a): super().handle_request(*a)\n",
    "gthread": "class Looped(Base):\n    def handle(self, *a): return super().handle(*a)\n",
}
WORKERS = ["sync", "gthread", "sync-loop", "gthread-loop"]


def start(spawn: Spawn, worker: str, **settings: Any) -> Server:
    name, _, loop = worker.partition("-")
    config = ""
    if loop:
        module, base = {"sync": ("sync", "SyncWorker"), "gthread": ("gthread", "ThreadWorker")}[
            name
        ]
        config = f"from gunicorn.workers.{module} import {base} as Base\n{LOOPED[name]}"
        config += "worker_class = Looped\n"
    else:
        settings["worker_class"] = name
    return spawn("named:app", config=config, settings={"request_id_header": HEADER} | settings)


def facts(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("worker", WORKERS)
def test_a_peer_that_is_believed_gives_the_name(spawn: Spawn, worker: str) -> None:
    server = start(spawn, worker, accesslog="-", access_log_format="id=%(request_id)s %(U)s")
    answer = ask(server.address, get("/facts", f"{HEADER}: Root=1-5e1b;a/b"))
    assert answer.header(HEADER) == "Root=1-5e1b;a/b"
    found = facts(answer)
    assert found["HTTP_X_REQUEST_ID"] == found["rgunicorn.request_id"] == "Root=1-5e1b;a/b"
    # What is no name, or more than one, is replaced as a whole.
    for sent in ([f"{HEADER}: a", f"{HEADER}: b"], [f'{HEADER}: a"b'], [f"{HEADER}: {'x' * 97}"]):
        answer = ask(server.address, get("/facts", *sent))
        made = answer.header(HEADER)
        assert made is not None and UUID.fullmatch(made), made
        assert facts(answer)["HTTP_X_REQUEST_ID"] == facts(answer)["rgunicorn.request_id"] == made
    # A name with `_` would be the same in the environ.
    answer = ask(server.address, get("/facts", "X_Request_ID: forged"))
    assert UUID.fullmatch(facts(answer)["HTTP_X_REQUEST_ID"])
    # The application's own word stands, once.
    assert ask(server.address, get("/own")).header(HEADER) == "the-apps-own"
    # A page of ours says it, and so does the error log.
    answer = ask(server.address, get("/raise", f"{HEADER}: r-500"))
    assert (answer.status, answer.header(HEADER)) == (500, "r-500")
    log = server.wait_log("id=r-500 /raise")
    assert "Error handling request GET /raise (id: r-500)" in log
    assert "id=Root=1-5e1b;a/b /facts" in log


@pytest.mark.parametrize("worker", WORKERS)
def test_a_stranger_does_not(spawn: Spawn, worker: str) -> None:
    server = start(spawn, worker, forwarded_allow_ips="10.1.2.3")
    answer = ask(server.address, get("/facts", f"{HEADER}: mine"))
    made = answer.header(HEADER)
    assert made is not None and UUID.fullmatch(made)
    assert facts(answer)["HTTP_X_REQUEST_ID"] == made


def test_each_request_of_a_connection_has_its_own(spawn: Spawn) -> None:
    server = start(spawn, "gthread")
    with Wire(server.address) as wire:
        names = [
            wire.send(get("/facts", *headers)).response().header(HEADER)
            for headers in ([f"{HEADER}: first"], [], [f"{HEADER}: third"], [])
        ]
    assert (names[0], names[2]) == ("first", "third")
    assert len(set(names)) == 4


def test_workers_never_give_the_same_name(spawn: Spawn) -> None:
    # The kernel spreads connections over the listeners of the workers.
    server = start(spawn, "sync", workers=4, preload_app=True, reuse_port=True)
    seen: dict[int, set[str]] = {}
    count = 0
    while len(seen) < 4 or count < 200:
        found = facts(ask(server.address, get("/facts")))
        seen.setdefault(found["pid"], set()).add(found["rgunicorn.request_id"])
        count += 1
        assert count < 5000, "not all workers get requests"
    assert sum(len(names) for names in seen.values()) == len(set().union(*seen.values())) == count


def test_a_packet_of_uwsgi(spawn: Spawn) -> None:
    server = start(spawn, "sync", protocol="uwsgi")
    named = ask(server.address, packet("/facts", HTTP_X_REQUEST_ID="from-nginx"))
    assert facts(named)["rgunicorn.request_id"] == named.header(HEADER) == "from-nginx"
    assert UUID.fullmatch(str(ask(server.address, packet("/facts")).header(HEADER)))


def test_hooks_see_it(spawn: Spawn) -> None:
    server = spawn(
        "named:app",
        settings={"request_id_header": HEADER},
        config="""
def pre_request(worker, req):
    worker.log.info("headers %s", [pair for pair in req.headers if "REQUEST" in pair[0]])
    req.headers.append(("X-ADDED", "1"))
def post_request(worker, req, environ, resp):
    worker.log.info("after %s %s", req.request_id, environ["HTTP_X_REQUEST_ID"])
""",
    )
    ask(server.address, get("/facts", f"{HEADER}: r-1"))
    log = server.wait_log("after r-1 r-1")
    assert "headers [('X-REQUEST-ID', 'r-1')]" in log


def test_without_the_setting_nothing_changes(spawn: Spawn) -> None:
    server = spawn("named:app", settings={"forwarded_allow_ips": "10.1.2.3"})
    answer = ask(server.address, get("/facts", f"{HEADER}: mine"))
    assert answer.header(HEADER) is None
    found = facts(answer)
    assert found["HTTP_X_REQUEST_ID"] == "mine" and "rgunicorn.request_id" not in found


def test_the_workers_number_is_in_the_environ(spawn: Spawn) -> None:
    server = spawn(
        "named:app",
        settings={"workers": 2, "reuse_port": True},
        env={"RGUNICORN_WORKER_SLOT": "77"},
    )
    slots: dict[int, int] = {}
    while len(slots) < 2:
        found = facts(ask(server.address, get("/facts")))
        assert found["slot"] == str(found["rgunicorn.worker_slot"])
        slots[found["pid"]] = found["rgunicorn.worker_slot"]
    assert sorted(slots.values()) == [0, 1]
