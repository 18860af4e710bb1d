"""`uwsgi_allow_ips`: who may speak uwsgi."""

from __future__ import annotations

import pytest

from harness.compare import same
from harness.pages import error_response
from harness.server import Kitchen
from harness.uwsgi import request
from harness.wire import Wire
from uwsgi.talk import ask


@pytest.mark.only("a unix peer has no address", "tcp")
@pytest.mark.gunicorn_bug("500 with a traceback")
def test_others_are_refused(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="192.0.2.1,10.0.0.0/8")
    with Wire(server.address) as wire:
        found = wire.send(b"\0").read_to_close()
    same(found, error_response(403, "Forbidden", "Request forbidden"))
    server.wait_log("[WARNING] Invalid request from ip=127.0.0.1: uWSGI request from")
    assert "uWSGI request from '127.0.0.1' not allowed" in server.log()


@pytest.mark.only("a unix peer has no address", "tcp")
@pytest.mark.gunicorn_bug("a network is compared as a string")
def test_a_network(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="127.0.0.0/8")
    assert ask(server.address, request("/hello")).status == 200


def test_everybody(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="*")
    assert ask(server.address, request("/hello")).status == 200


@pytest.mark.only("about unix peers", "unix")
def test_a_unix_peer_always_may(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="192.0.2.1")
    assert ask(server.address, request("/hello")).status == 200
