"""What is looked at may end at any moment, be of another version, or be nothing of ours."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rgunicorn.top import boards, processes
from rgunicorn.top.finding import NotFound, Server, find
from rgunicorn.top.reading import Reader

# Has a scoreboard as a server has one, of a layout that nobody knows.
ANOTHER = """
import os, sys
board = os.memfd_create("rgunicorn-scoreboard")
os.write(board, int.from_bytes(b"rgunicrn", "big").to_bytes(8, sys.byteorder) + b"\\xff" * 4088)
print("ready", flush=True)
input()
"""


@pytest.fixture(scope="module")
def gone() -> int:
    """The pid of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_nothing_is_known_of_a_process_that_has_ended(gone: int) -> None:
    assert not processes.exists(gone)
    assert (processes.command(gone), processes.user(gone)) == ("", "?")
    assert (processes.parent(gone), processes.born(gone)) == (0, None)
    assert processes.usage(gone, shares=True) == processes.Usage(None, None, None)
    assert processes.addresses(gone) == []
    assert list(boards.flights(gone)) == []


def test_a_server_that_ends_between_two_looks(gone: int) -> None:
    assert not Server(gone, 1).lives()
    with pytest.raises(NotFound, match=f"the server with pid {gone} has just ended"):
        Reader(Server(gone, 1))


@contextlib.contextmanager
def another_version() -> Iterator[int]:
    argv = [sys.executable, "-c", ANOTHER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid


def test_a_server_of_another_version_is_found_and_not_read() -> None:
    with another_version() as pid:
        found = find(str(pid))
        assert (found.pid, found.lives()) == (pid, True)
        with pytest.raises(NotFound, match=f"pid {pid} is of another version: .*; use the rgun"):
            Reader(found)
    assert not found.lives()


def test_addresses_are_spelled_as_they_are_bound() -> None:
    with contextlib.ExitStack() as stack:
        wanted = []
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = stack.enter_context(socket.socket(family))
            listener.bind((host, 0))
            listener.listen()
            port = listener.getsockname()[1]
            wanted.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        assert set(wanted) <= set(processes.addresses(os.getpid()))
