"""Real HAProxy in front of a server under test, passing on TCP with a PROXY preamble."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from .server import Address, free_port
from .wait import until

CONFIG = """\
global
    maxconn 100
    log stdout format raw local0
defaults
    mode tcp
    log global
    option log-health-checks
    timeout connect 20s
    timeout client 60s
    timeout server 60s
"""

LINE = """\
frontend in-{name}
    bind 127.0.0.1:{port}
    default_backend to-{name}
backend to-{name}
    server app {address} {options}
"""


def available() -> str | None:
    """The path of haproxy; Debian keeps it in sbin, which is not on everybody's PATH."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def haproxy(
    directory: Path, lines: Mapping[str, tuple[Address, str]]
) -> Iterator[dict[str, tuple[str, int]]]:
    """One HAProxy with an address in front of each server. Where to connect, by name.

    Args:
        directory: for its configuration and `haproxy.log`.
        lines: by name, where the server is, and the options of its `server` line.
    """
    text = CONFIG
    addresses = {}
    for name, (upstream, options) in lines.items():
        port = free_port()
        addresses[name] = ("127.0.0.1", port)
        address = f"unix@{upstream}" if isinstance(upstream, str) else f"127.0.0.1:{upstream[1]}"
        text += LINE.format(name=name, port=port, address=address, options=options)
    with running(directory, text, port):
        yield addresses


@contextlib.contextmanager
def running(directory: Path, text: str, port: int) -> Iterator[None]:
    """HAProxy with the configuration `text`, whose last address is on `port`; it logs to
    `haproxy.log` in `directory`."""
    binary = available()
    assert binary, "ask available() first"
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "haproxy.cfg"
    config.write_text(text)
    log = directory / "haproxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binary, "-db", "-f", str(config)],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # It binds all before it serves one.
        until(lambda: _accepts(port), "haproxy to listen", show=log.read_text)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
