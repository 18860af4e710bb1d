"""A large file to a client on this machine: how much of it is on its way at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.wait import until
from harness.wire import Wire, get

FILE = 16 << 20
# Twice what is asked for, and what one call of sendfile(2) may put beyond: socket(7).
MOST = 1 << 20


@pytest.mark.gunicorn_bug("as much as the kernel takes, which costs three times as much CPU time")
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
def test_it_waits_in_the_file_and_not_in_the_kernel(
    spawn: Spawn, kind: Kind, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * (FILE // 256))
    server = spawn("kitchen:app", settings=kind.settings, env={"FILE": str(path)})
    with Wire(server.address) as wire:
        wire.send(get("/file"))
        # So that the kernel learns how fast its reader is.
        came = receive(wire, FILE // 2)
        seen: list[int] = []

        def settled() -> bool:
            seen.append(unsent(wire, server.address[1]))
            # Nothing: the client's side has had room, and the server no CPU yet.
            return len(seen) > 5 and seen[-1] > 0 and len(set(seen[-5:])) == 1

        until(settled, "the server to wait", show=server.log)
        assert seen[-1] <= MOST
        head, _, body = came.partition(b"\r\n\r\n")
        body += receive(wire, FILE - len(body))
        assert head.startswith(b"HTTP/1.1 200 ") and body == path.read_bytes()


def receive(wire: Wire, most: int) -> bytes:
    came = bytearray()
    while len(came) < most:
        piece = wire.sock.recv(min(65536, most - len(came)))
        assert piece, "it ends in the middle"
        came += piece
    return bytes(came)


def unsent(wire: Wire, port: int) -> int:
    """Bytes that the server's side of a connection holds: proc_net_tcp(5), tx_queue."""
    own = wire.sock.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues, *_ = line.split()[1:]
        if int(local.split(":")[1], 16) == port and int(remote.split(":")[1], 16) == own:
            return int(queues.split(":")[0], 16)
    raise AssertionError("the connection is gone")
