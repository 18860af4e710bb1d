"""The same requests over TLS to real Gunicorn and to rgunicorn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.certificates import Certificates
from harness.compare import same
from harness.mode import Mode
from harness.server import Command, Server, spawner
from harness.wire import ask, get, post

# They are each connection's, or each server's, own.
OWN = {"REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE"}


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory,
    gunicorn: Command,
    command: Command,
    mode: Mode,
    files: Certificates,
    big_file: Path,
) -> Iterator[tuple[Server, Server]]:
    settings = {"cert_reqs": 1, "ca_certs": files.ca, "accesslog": "-"}
    env = {"FILE": str(big_file)}
    root = tmp_path_factory.mktemp("pair")
    with spawner(root, command, mode) as spawn:
        theirs = spawn("kitchen:app", command=gunicorn, settings=settings, env=env)
        ours = spawn("kitchen:app", command=command, settings=settings, env=env)
        yield theirs, ours


@pytest.mark.parametrize(
    "raw",
    [
        get("/environ?a=b"),
        post("/environ", b"12345", "X-Forwarded-Proto: http"),
        get("/environ", "Ssl-Client-Verify: SUCCESS", version="1.0"),
    ],
    ids=["get", "post", "1.0"],
)
def test_the_environ(pair: tuple[Server, Server], raw: bytes) -> None:
    theirs, ours = (json.loads(ask(server.address, raw).body) for server in pair)
    added = {name for name in ours if name.startswith(("SSL_", "rgunicorn."))}
    assert added == {
        *("SSL_PROTOCOL", "SSL_CIPHER", "SSL_CLIENT_VERIFY"),
        "rgunicorn.worker_slot",
    }
    known = ours.keys() - added
    assert known == theirs.keys()
    for name in known - OWN:
        # The names of classes are the server's own affair.
        if isinstance(ours[name][1], (str, bool, list)):
            same(ours[name], theirs[name])


@pytest.mark.parametrize(
    "raw",
    [get("/hello"), get("/stream"), get("/file"), get("/nothing HTTP"), get("/a", "Bad Name: 1")],
    ids=["hello", "stream", "file", "bad request line", "bad name"],
)
def test_the_response(pair: tuple[Server, Server], raw: bytes) -> None:
    theirs, ours = (ask(server.address, raw) for server in pair)
    assert ours.status_line == theirs.status_line
    assert ours.body == theirs.body
    own = ("Server", "Date")
    same(*([pair for pair in it.headers if pair[0] not in own] for it in (ours, theirs)))
