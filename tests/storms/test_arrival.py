"""The server stops while a client is in the middle of the handshake, over a slow network."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import hosts, kinds
from harness.kinds import Kind
from harness.mode import Mode
from harness.server import Command, Spawn
from harness.wait import until
from storms.conftest import Site
from storms.delay import delayed

WITHOUT = hosts.unavailable() or (None if shutil.which("tc") else "tc is missing")

pytestmark = pytest.mark.skipif(bool(WITHOUT), reason=str(WITHOUT))

PORT = 8000
# 375 bytes a second: an empty packet takes a sixth of one.
SLOW = ("tbf", "rate", "3kbit", "burst", "200", "limit", "10000")
KNOCK = f"""
import socket, sys
socket.create_connection((sys.argv[1], {PORT}), 30).close()
"""
CLIENT = f"""
import socket, sys
address = (sys.argv[1], {PORT})
# What may pass at once has passed.
socket.socket(type=socket.SOCK_DGRAM).sendto(bytes(140), address)
with socket.create_connection(address, 30) as sock:
    sock.sendall(b"GET /hello HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(sock.recv(4096).decode().splitlines()[0])
"""


# Microseconds: longer than the last packet of the handshake is on its way.
LOOK = 400_000

# Lets a client begin to come; what that returns waits for his answer.
Come = Callable[[], Callable[[], str]]


@pytest.fixture(params=kinds.ALL, ids=str)
def coming(
    spawn: Spawn, command: Command, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Site, Come]]:
    """A server on a host at the end of a slow wire, and who comes to it."""
    kind: Kind = request.param
    with contextlib.ExitStack() as stack:
        hub, (host,) = stack.enter_context(hosts.hosts(1))
        server = spawn(
            "ledger:app",
            Mode(transport="unix"),
            ready=False,
            command=Command((*host.prefix, *command.argv), command.name),
            settings={**kind.settings, "workers": 2},
            config=f"bind = [bind, '{host.ip}:{PORT}']",
            env={"LEDGER": str(tmp_path / "ledger")},
        )
        site = Site(server, 2, tmp_path / "ledger")
        server.wait_ready()
        site.settle()
        # Nobody else has anything to say there, and each knows where the other is.
        hub.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
        hub.run(sys.executable, "-c", KNOCK, host.ip)
        hub.run("tc", "qdisc", "add", "dev", "to-0", "root", *SLOW)

        def come() -> Callable[[], str]:
            argv = [*hub.prefix, sys.executable, "-c", CLIENT, host.ip]
            client = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            stack.callback(client.communicate)
            stack.callback(client.kill)
            until(lambda: " 03 " in host.told("cat", "/proc/net/tcp"), "the handshake to begin")
            return lambda: client.communicate(timeout=60)[0]

        yield site, come


def test_who_has_begun_to_come_is_waited_for(coming: tuple[Site, Come]) -> None:
    site, come = coming
    said = come()
    site.signal(signal.SIGTERM)
    assert said() == "HTTP/1.1 200 OK\n", site.news()
    assert site.server.wait_exit(60) == 0


def test_who_arrives_while_he_is_looked_for_is_let_in(
    coming: tuple[Site, Come], tmp_path: Path
) -> None:
    site, come = coming
    path = "/proc/thread-self/net/tcp"
    with delayed(site.workers, "openat", f"delay_enter={LOOK}", tmp_path / "trace", "-P", path):
        said = come()
        site.signal(signal.SIGTERM)
        assert said() == "HTTP/1.1 200 OK\n", site.news()
        assert site.server.wait_exit(60) == 0
    assert path in (tmp_path / "trace").read_text()
