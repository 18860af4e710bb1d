"""As pid 1 of a container, without an init: in a PID namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest

from harness.server import children
from harness.wait import until
from harness.wire import Wire, get

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def why_not() -> str:
    try:
        done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, timeout=20)
    except OSError as error:
        return str(error)
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    reason = why_not()
    if reason:
        pytest.skip(f"no PID namespaces here: {reason.strip()}")


@pytest.fixture
def first(serve, command):
    """`first(**options of serve)`: the server, and its master's pid outside of the namespace."""

    def start(**options):
        inside = replace(command, argv=(*UNSHARE, *command.argv))
        server = serve(command=inside, ready=False, **options)
        (master,) = until(lambda: children(server.pid), "the master", show=server.log)
        return server, master

    return start


def test_stop_of_a_container(first, accepted):
    """What `docker stop` does: TERM, and the exit status of pid 1 is that of the container."""
    server, master = first(workers=2)
    server.wait_log("Booting worker with pid:", 2)
    assert "Listening at" in server.log()
    assert f"{server.address[1]} (1)" in server.log(), "it is pid 1 there"
    with Wire(server.address) as wire:
        wire.send(get("/sleep/1"))
        accepted(server)
        os.kill(master, signal.SIGTERM)
        assert server.wait_exit() == 0
        assert wire.read_to_close().startswith(b"HTTP/1.1 200 OK")
    assert server.log().rstrip().endswith("Shutting down: Master")


def test_strangers_are_reaped(first, order, tmp_path):
    server, master = first(workers=2, loglevel="debug")
    server.wait_log("Booting worker with pid:", 2)
    gate = tmp_path / "gate"
    orphans = [order(server, f"/orphan{gate}") for _ in range(3)]
    workers = children(master)
    assert len(workers) == 5, "two workers, and three whose parents have gone"
    gate.touch()
    for pid in orphans:
        server.wait_log(f"Reaped unknown child process (pid:{pid})\n")
    # No zombies either.
    until(lambda: len(everybody(master)) == 2, "two processes")
    # Their exit code, 3, would end the server if a worker had it.
    assert order(server, "/ppid") == "1"
    assert "ERROR" not in server.log()
    os.kill(master, signal.SIGTERM)
    assert server.wait_exit() == 0


def everybody(parent: int) -> list[str]:
    """All children of a process, zombies too."""
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        return file.read().split()


@pytest.mark.ours("the kernel ignores a signal for which pid 1 has no handler")
def test_stop_while_the_application_is_preloaded(first, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    )
    server, master = first(app="slow:app", chdir=str(tmp_path), preload_app=True)
    server.wait_log("importing")
    os.kill(master, signal.SIGTERM)
    assert server.wait_exit() == 128 + signal.SIGTERM


@pytest.mark.ours("says nothing")
def test_an_upgrade_is_warned_of(first):
    server, master = first(workers=1)
    server.wait_log("Booting worker with pid:")
    os.kill(master, signal.SIGUSR2)
    server.wait_log("[WARNING] USR2 as pid 1: when this master ends")
    # Nobody would be left to wait for.
    os.kill(master, signal.SIGTERM)
    assert server.wait_exit() == 0
    assert "TERM waits" not in server.log()
