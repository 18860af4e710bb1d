"""A server with sync workers, or with those of the class RGUNICORN_ARBITER_WORKER names.

`tiny.TinyWorker` is plain Python, so that the master can be tested apart from the engine.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbiter.live import Live
from harness.mode import Mode
from harness.proc import waits
from harness.server import Server, Spawn, children
from harness.wait import until
from harness.wire import ask as ask_server
from harness.wire import get

Serve = Callable[..., Server]

WORKER_CLASS = os.environ.get("RGUNICORN_ARBITER_WORKER", "sync")


@pytest.fixture
def serve(spawn: Spawn) -> Serve:
    """`serve(config="", app=…, transport=…, ready=…, …, **settings)` starts a server."""
    own = ("app", "ready", "command", "config", "args", "env", "cwd")

    def start(**options: object) -> Server:
        fields = {name: options.pop(name) for name in own if name in options}
        app = fields.pop("app", "tiny:application")
        mode = Mode(transport=options.pop("transport", "tcp"))
        settings = {"worker_class": WORKER_CLASS, "workers": 2, **options}
        return spawn(app, mode, settings=settings, **fields)

    return start


@pytest.fixture
def live(serve: Serve, tmp_path: Path) -> Callable[..., Live]:
    """`live(**options of serve)`: a server of two workers whose application says "first"."""

    def start(**options: object) -> Live:
        it = Live(tmp_path)
        it.write("first", "os.write(1, b'loaded\\n')")
        it.server = serve(**{"app": "live:application", "chdir": str(tmp_path), **options})
        # None of them shall load what the test writes next.
        it.server.wait_log("loaded\n", int(str(it.server.settings["workers"])))
        # All of them have booted: a failure before that ends the server, as on Gunicorn.
        until(lambda: it.answer()[0] == "first", "an answer", show=it.server.log)
        until(lambda: all(map(waits, it.server.workers())), "all to wait", show=it.server.log)
        return it

    return start


@pytest.fixture
def order() -> Callable[[Server, str], str]:
    """`order(server, "/pid")`: the body that the tiny application answers."""

    def ask(server: Server, path: str, address: object = None) -> str:
        return ask_server(address or server.address, get(path)).body.decode()  # type: ignore[arg-type]

    return ask


@pytest.fixture
def accepted() -> Callable[[Server], None]:
    """`accepted(server)` waits until a worker has taken every connection made so far."""

    def queue(port: int) -> int:
        # Of a listener (state 0A) `rx_queue` is the number of connections not yet accepted.
        with open("/proc/net/tcp") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                    return int(fields[4].split(":")[1], 16)
        return 0

    def wait(server: Server) -> None:
        until(lambda: not queue(server.address[1]), "an empty accept queue", show=server.log)

    return wait


@pytest.fixture
def tidy() -> Iterator[Callable[[int], None]]:
    """Ends masters that are no longer in the first one's care: they are, by pid, here."""
    pids: list[int] = []
    yield pids.append
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def upgrade(tidy: Callable[[int], None]) -> Callable[..., int]:
    """`upgrade(server, workers=1)` sends USR2: the new master's pid, once its workers boot."""

    def run(server: Server, workers: int = 1) -> int:
        before = set(children(server.pid))
        booted = server.log().count("Booting worker")
        listening = server.log().count("Listening at")
        server.send_signal(signal.SIGUSR2)

        def successor() -> int | None:
            pids = re.findall(r"\[(\d+)\] \[INFO\] Listening at", server.log())
            return int(pids[-1]) if len(pids) > listening else None

        pid = until(successor, "the new master", show=server.log)
        tidy(pid)
        until(lambda: len(children(pid)) == workers, "the new workers", show=server.log)
        assert pid in set(children(server.pid)) - before
        server.wait_log("Booting worker", booted + workers)
        return pid

    return run
