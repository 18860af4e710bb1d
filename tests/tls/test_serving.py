"""Requests and responses over TLS, as clients of all kinds make and read them."""

from __future__ import annotations

import hashlib
import random
import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from harness.certificates import Certificates
from harness.mode import Mode
from harness.server import Kitchen, Spawn
from harness.wire import Wire, ask, get, post

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.gunicorn_bug("ends without TLS's goodbye: an attacker could have cut the response")
def test_both_versions(kitchen: Kitchen, files: Certificates, version: ssl.TLSVersion) -> None:
    server = kitchen()
    context = files.client_context(version=version)
    with Wire(server.address, context=context) as wire:
        response = wire.send(get("/hello", "Connection: close")).response()
        assert (response.status, response.body) == (200, b"Hello, World!")
        assert wire.is_closed()
        assert not wire.sock.ragged, "no goodbye from the server"
        assert wire.sock.object.version() == version.name.replace("_", ".")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.gunicorn_bug("resets a client that sends more than was asked for", "sync")
def test_curl_and_urllib(kitchen: Kitchen, files: Certificates, big_file: Path) -> None:
    server = kitchen()
    argv = ["curl", "-sSf", "--cacert", files.ca]
    done = subprocess.run(
        [*argv, f"{server.url}/hello", f"{server.url}/file", "--data-binary", f"@{big_file}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"Hello, World!" + big_file.read_bytes()
    opened = urllib.request.urlopen(f"{server.url}/file", context=files.client_context())
    with opened as response:
        assert response.read() == big_file.read_bytes()


@pytest.mark.gunicorn_bug("says http of IPv6 listeners")
def test_the_listener_says_https(kitchen: Kitchen, mode: Mode, spawn: Spawn) -> None:
    server = kitchen()
    server.wait_log(f"Listening at: {server.url} ")
    six = spawn("kitchen:app", mode, ready=False, args=["-b", f"[::1]:{server.address[1]}"])
    # Gunicorn forgets it there.
    six.wait_log(f"Listening at: https://[::1]:{server.address[1]} ")


@pytest.mark.gunicorn_bug("ends without TLS's goodbye: an attacker could have cut the response")
def test_kept_alive_and_pipelined(kitchen: Kitchen, mode: Mode) -> None:
    server = kitchen(**mode.keep_alive)
    with Wire(server.address) as wire:
        for path in ("/hello", "/stream", "/bytes?n=300000", "/hello"):
            assert wire.send(get(path)).response().status == 200
        # All in one record, then each byte in one of its own.
        requests = post("/echo", b"a" * 1000) + get("/hello") + post("/echo", b"c")
        wire.send(requests)
        bodies = [wire.response().body for _ in range(3)]
        assert bodies == [b"a" * 1000, b"Hello, World!", b"c"]
        wire.send_byte_by_byte(get("/hello"))
        assert wire.response().body == b"Hello, World!"
        wire.send(get("/hello", "Connection: close")).response()
        assert wire.is_closed()
        assert not wire.sock.ragged


@pytest.mark.parametrize("n", [1 << 20, 20_000_000])
def test_uploads(kitchen: Kitchen, n: int) -> None:
    data = random.Random(n).randbytes(n)
    response = ask(kitchen().address, post("/pieces", data))
    assert response.body.decode() == f"{n} {hashlib.sha256(data).hexdigest()}"


@pytest.mark.ours("buffers requests")
def test_an_upload_that_the_application_reads_as_it_comes(kitchen: Kitchen, mode: Mode) -> None:
    """Past `request_buffer_limit` `wsgi.input` reads from the connection."""
    server = kitchen(request_buffer_size=1000, request_buffer_limit=5000, **mode.keep_alive)
    data = random.Random(3).randbytes(1 << 20)
    with Wire(server.address) as wire:
        for _ in range(2):
            response = wire.send(post("/pieces", data) + get("/hello")).response()
            assert response.body.decode() == f"{len(data)} {hashlib.sha256(data).hexdigest()}"
            assert wire.response().body == b"Hello, World!"


@pytest.mark.parametrize("path", ["/bytes?n=20000000", "/bytes?n=20000000&chunked", "/file"])
@pytest.mark.gunicorn_bug("one slow reader holds the worker", "sync")
def test_a_slow_reader(kitchen: Kitchen, big_file: Path, path: str) -> None:
    """Others are served meanwhile, and not a byte is lost."""
    server = kitchen()
    with Wire(server.address, receive_buffer=4096) as slow:
        slow.send(get(path))
        for _ in range(3):
            assert ask(server.address, get("/hello")).body == b"Hello, World!"
        body = slow.response().body
    assert body == (big_file.read_bytes() if path == "/file" else b"x" * 20_000_000)


def test_each_piece_of_a_stream_is_sent_at_once(kitchen: Kitchen, tmp_path: Path) -> None:
    gate = tmp_path / "open"
    with Wire(kitchen().address) as wire:
        wire.send(get(f"/slow{gate}"))
        wire.read_until(b"first\r\n")
        gate.touch()
        wire.read_until(b"second\r\n")


def test_on_a_unix_socket(spawn: Spawn, files: Certificates, mode: Mode) -> None:
    settings = {**mode.settings, **files.server}
    server = spawn("kitchen:app", Mode(mode.worker, "unix"), settings=settings)
    with Wire(server.address, context=files.client_context()) as wire:
        response = wire.send(get("/environ", "Connection: close")).response()
        assert b'"wsgi.url_scheme": ["str", "https"]' in response.body
        assert b'"SERVER_PORT": ["str", "443"]' in response.body
        assert wire.is_closed()
