"""The syslog settings: addresses, and what arrives at a real socket."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.compare import same
from harness.server import Command, Spawn
from harness.statsd import collecting
from harness.wait import until
from harness.wire import ask, get
from rgunicorn.glogging import parse_syslog_address

PARITY = os.environ.get("RGUNICORN_PARITY_PYTHON")
UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM

ADDRESSES: dict[str, Any] = {
    "unix:///dev/log": (None, "/dev/log"),
    "unix:///dev/log#dgram": (UDP, "/dev/log"),
    "unix:///dev/log#stream": (None, "/dev/log"),
    "unix:///dev/log#a#b": (None, "/dev/log"),
    "udp://localhost:514": (UDP, ("localhost", 514)),
    "udp://LocalHost": (UDP, ("localhost", 514)),
    "udp://": (UDP, ("localhost", 514)),
    "udp://:99": (UDP, ("", 99)),
    "tcp://10.0.0.1:601": (TCP, ("10.0.0.1", 601)),
    "tcp://[2001:DB8::1]:601": (TCP, ("2001:db8::1", 601)),
    "udp://[::1]": (UDP, ("::1", 514)),
    "udp://host:": "'' is not a valid port number.",
    "udp://host:x": "'x' is not a valid port number.",
    "udp://host:1:2": "'1:2' is not a valid port number.",
    "udp://[::1]:-1": "'-1' is not a valid port number.",
    "localhost:514": "invalid syslog address",
    "http://localhost": "invalid syslog address",
    "": "invalid syslog address",
}


@pytest.mark.parametrize(("address", "expected"), ADDRESSES.items())
def test_addresses(address: str, expected: Any) -> None:
    if not isinstance(expected, str):
        assert parse_syslog_address(address) == expected
        return
    with pytest.raises(RuntimeError) as caught:
        parse_syslog_address(address)
    assert str(caught.value) == expected


@pytest.mark.skipif(not PARITY, reason="RGUNICORN_PARITY_PYTHON names no Python with Gunicorn")
def test_addresses_are_read_as_gunicorn_does() -> None:
    code = (
        "import sys; from gunicorn.glogging import parse_syslog_address as parse\n"
        "for address in sys.argv[1:]:\n"
        "    try: print(repr(parse(address)))\n"
        "    except RuntimeError as exc: print(exc)"
    )
    assert PARITY is not None
    run = subprocess.run([PARITY, "-c", code, *ADDRESSES], check=True, stdout=subprocess.PIPE)
    expected = [it if isinstance(it, str) else repr(it) for it in ADDRESSES.values()]
    assert run.stdout.decode().splitlines() == expected


def test_datagrams(make_logger: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        daemon.settimeout(30)
        address = f"unix://{tmp_path}/log#dgram"
        log = make_logger(syslog=True, syslog_addr=address, syslog_facility="LOCAL3")
        log.info("hello")
        log.access_log.info("GET /")
        pid = os.getpid()
        # Facility 19 (local3), severity 6 (informational), RFC 5424 section 6.2.1.
        expected = [
            f"<158>gunicorn.shop.wsgi.app.error: [{pid}] hello\0",
            f"<158>gunicorn.shop.wsgi.app.access: [{pid}] GET /\0",
        ]
        assert [daemon.recv(4096).decode() for _ in expected] == expected


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_network(make_logger: Any, scheme: str) -> None:
    kind = UDP if scheme == "udp" else TCP
    with socket.socket(socket.AF_INET, kind) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(30)
        if kind == TCP:
            daemon.listen()
        port = daemon.getsockname()[1]
        log = make_logger(
            syslog=True,
            syslog_addr=f"{scheme}://127.0.0.1:{port}",
            syslog_prefix="shop",
            disable_redirect_access_to_syslog=True,
        )
        assert log.access_log.handlers == []
        log.warning("low")
        connection = daemon.accept()[0] if kind == TCP else daemon
        expected = f"<12>gunicorn.shop.error: [{os.getpid()}] low\0".encode()
        with connection:
            assert connection.recv(4096) == expected


def test_a_stream_on_a_path(make_logger: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, TCP) as daemon:
        daemon.bind(str(tmp_path / "log"))
        daemon.listen()
        daemon.settimeout(30)
        log = make_logger(syslog=True, syslog_addr=f"unix://{tmp_path}/log")
        # One connection for each of both logs.
        connections = [daemon.accept()[0] for _ in range(2)]
        log.error("low")
        log.access_log.info("GET /")
        ends = [f"error: [{os.getpid()}] low\0", f"access: [{os.getpid()}] GET /\0"]
        for connection, end in zip(connections, ends, strict=True):
            with connection:
                assert connection.recv(4096).decode().endswith(f"gunicorn.shop.wsgi.app.{end}")


def test_nobody_there(make_logger: Any) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unheard.getsockname()[1]}"
        words = f"^syslog_addr = '{address}': .*[Rr]efused"
        with pytest.raises(RuntimeError, match=words):
            make_logger(syslog=True, syslog_addr=address)


def test_a_server_says_what_gunicorn_says(
    spawn: Spawn, gunicorn: Command, command: Command, tmp_path: Path
) -> None:
    said = []
    for which in (gunicorn, command):
        directory = tmp_path / f"for-{which.name}"
        directory.mkdir()
        with collecting("unix", directory) as daemon:
            server = spawn(
                "counted:app",
                command=which,
                settings={
                    "syslog": True,
                    "syslog_addr": f"{daemon.host}#dgram",
                    "syslog_facility": "daemon",
                    "errorlog": str(directory / "errors"),
                },
            )
            ask(server.address, get("/404"))
            server.assert_clean_exit()
            text = "\n".join(daemon.lines()).replace(f"127.0.0.1:{server.address[1]}", "ADDRESS")
            text = re.sub(r"\[\d\d/[^]]*\]", "[TIME]", text)
            text = re.sub(r"\[\d+\]|\(\d+\)|pid: \d+", "PID", text)
            said.append(text.replace("rgunicorn 0.1.0", "gunicorn 27.0.1").splitlines())
    theirs, ours = said
    same(ours, theirs)
    assert any(line.startswith("<30>gunicorn.counted.app.access: PID ") for line in ours)


def test_unknown_facility(make_logger: Any) -> None:
    with pytest.raises(RuntimeError, match="^unknown facility name: syslog_facility = 'nope'. Use"):
        make_logger(syslog=True, syslog_facility="nope")


def test_no_address(make_logger: Any) -> None:
    words = "^invalid syslog address: syslog_addr = 'there'. Use udp://HOST:PORT"
    with pytest.raises(RuntimeError, match=words):
        make_logger(syslog=True, syslog_addr="there")


def test_lines_that_are_lost(make_logger: Any, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    where = f"unix://{tmp_path}/log"
    log = make_logger(syslog=True, syslog_addr=where, errorlog=str(errors))
    for number in range(5):
        log.info("line %d", number)
    text = errors.read_text()
    assert text.count("Can't write to syslog_addr") == 1
    assert f"Can't write to syslog_addr = {where!r}: [Errno 2] " in text
    assert "Traceback" not in text
    assert text.count("] line ") == 5
    # It comes up.
    with socket.socket(socket.AF_UNIX, UDP) as daemon:
        daemon.bind(str(tmp_path / "log"))
        daemon.settimeout(30)
        log.info("at last")
        assert daemon.recv(4096).endswith(b"] at last\0")


def test_a_server_that_comes_back(make_logger: Any, tmp_path: Path, capfd: Any) -> None:
    errors = tmp_path / "errors"
    first = socket.create_server(("127.0.0.1", 0))
    where = first.getsockname()
    log = make_logger(
        syslog=True,
        syslog_addr=f"tcp://{where[0]}:{where[1]}",
        errorlog=str(errors),
        disable_redirect_access_to_syslog=True,
    )
    with first:
        connection = first.accept()[0]
        log.info("one")
        assert connection.recv(4096).endswith(b"] one\0")
        connection.close()

    def noticed() -> bool:
        log.info("nobody hears this")
        return "Can't write to syslog_addr" in errors.read_text()

    until(noticed, "a word about the lines that are lost")
    with socket.create_server(where) as second:
        second.settimeout(0.2)

        def heard() -> bool:
            log.info("two")
            try:
                again = second.accept()[0]
            except TimeoutError:
                return False
            with again:
                again.settimeout(30)
                return again.recv(4096).endswith(b"] two\0")

        until(heard, "a new connection", show=errors.read_text)
    assert "Traceback" not in errors.read_text() + capfd.readouterr().err
