"""`environ["gunicorn.socket"]` over TLS: asked about the connection, and taken over."""

from __future__ import annotations

import json
import socket
import ssl
import threading

import pytest

from harness.certificates import Certificates
from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wire import Wire, ask, get


@pytest.fixture(scope="module")
def server(mode_spawn: Spawn, files: Certificates, mode: Mode) -> Server:
    settings = {"cert_reqs": 1, "ca_certs": files.ca, **mode.keep_alive}
    return mode_spawn("secure:app", settings=settings)


def taken(wire: Wire, path: str) -> Wire:
    assert wire.send(get(path)).response().status == 101
    return wire


@pytest.mark.parametrize("name", [None, "client"])
@pytest.mark.ours("keeps connections of the sync worker alive", "sync")
def test_it_tells_of_the_connection(server: Server, files: Certificates, name: str | None) -> None:
    """And the connection serves on."""
    with Wire(server.address, context=files.client_context(name)) as wire:
        for _ in range(3):
            said = json.loads(wire.send(get("/asked")).response().body)
            assert said["version"] == "TLSv1.3"
            assert said["cipher"].startswith("TLS_")
            assert (said["peer"], said["fileno"]) == ("127.0.0.1", True)
            if name is None:
                assert (said["subject"], said["der"]) == (None, 0)
            else:
                assert said["subject"]["commonName"] == 'a "client", ünknown'
                assert said["der"] > 100


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_one_thread_reads_and_one_writes(server: Server, files: Certificates, version: str) -> None:
    with Wire(server.address, context=files.client_context(version=ssl.TLSVersion[version])) as it:
        taken(it, "/line")
        for number in range(50):
            it.send(b"line %d\n" % number)
        for number in range(50):
            assert it.read_until(b"\n") == b"LINE %d\n" % number
        # Long lines both ways at once, in records of all sizes.
        long = b"x" * 200_000 + b"\n"
        sender = threading.Thread(target=lambda: it.sock.raw.sendall(encrypted))
        encrypted = it.sock.encrypt(long)
        sender.start()
        assert it.read_until(b"\n") == long.upper()
        sender.join()
        it.send(b"bye\n")
        assert it.read_until(b"\n") == b"BYE\n"
        assert it.is_closed()
        assert not it.sock.ragged
    # What was taken leaves no access line, no error, and a worker that serves.
    assert ask(server.address, get("/hello", "Connection: close")).status == 200
    assert "Traceback" not in server.log()


@pytest.mark.gunicorn_bug("ends without TLS's goodbye: an attacker could have cut the response")
def test_a_client_that_leaves(server: Server) -> None:
    with Wire(server.address) as wire:
        taken(wire, "/line").send(b"one\n")
        assert wire.read_until(b"\n") == b"ONE\n"
        wire.sock.raw.shutdown(socket.SHUT_WR)
        assert wire.is_closed()
    assert ask(server.address, get("/hello", "Connection: close")).status == 200


@pytest.mark.gunicorn_bug("ends without TLS's goodbye: an attacker could have cut the response")
def test_files_and_select(server: Server) -> None:
    with Wire(server.address) as wire:
        taken(wire, "/makefile").send(b"through a file\n")
        assert wire.read_to_close() == b"THROUGH A FILE\nNone"
        assert not wire.sock.ragged


@pytest.mark.gunicorn_bug("ends without TLS's goodbye: an attacker could have cut the response")
def test_more_than_the_socket_takes(server: Server) -> None:
    with Wire(server.address, receive_buffer=4096) as wire:
        wire.send(get("/push"))
        received = wire.read_to_close()
        assert received == bytes(range(256)) * 80_000
        assert not wire.sock.ragged
