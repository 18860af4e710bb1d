"""Flask-SocketIO in the three ways its docs start it: threads, gevent, gevent-websocket."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import Command, Server, clean_environment, spawner
from harness.wait import until
from harness.wire import ask, get

HERE = Path(__file__).parent
GEVENTWEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
WAYS = {
    "threading": {"worker_class": "gthread", "threads": 100},
    "gevent": {"worker_class": "gevent"},
    "gevent-websocket": {"worker_class": GEVENTWEBSOCKET},
}


@pytest.fixture(scope="module", params=WAYS)
def chat(
    request: pytest.FixtureRequest,
    beside_others: Command,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """One worker, as its docs ask for: each client's state is in its process."""
    env = {"PYTHONPATH": str(HERE), "ASYNC_MODE": request.param}
    with spawner(tmp_path_factory.mktemp("chat"), beside_others) as spawn:
        yield spawn("chat:app", settings=WAYS[request.param], env=env)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_two_clients_talk(chat: Server, transport: str) -> None:
    done = subprocess.run(
        [chat.command.python, HERE / "talker.py", chat.url, transport],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, f"{done.stderr}\n{chat.log()}"
    assert done.stdout.split() == [transport] * 2 + ["True"] * 4 + ["10"]
    until(lambda: "no such event for" in chat.log(), "the handler's error", show=chat.log)
    assert ask(chat.address, get("/", "Connection: close")).body == b"here\n"
    assert "Error handling request" not in chat.log()
