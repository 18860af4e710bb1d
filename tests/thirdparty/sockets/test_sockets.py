"""WebSockets over WSGI: flask-sock and simple-websocket on `gunicorn.socket`, with one thread."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.mode import MODES
from harness.server import Command, Server, clean_environment, spawner
from harness.wire import ask, get

HERE = Path(__file__).parent
TCP = [mode for mode in MODES if mode.transport == "tcp"]


@pytest.fixture(scope="module", params=TCP, ids=str)
def rooms(
    request: pytest.FixtureRequest,
    beside_others: Command,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A worker that can be in one request at a time: whoever does not leave it holds all others."""
    settings = {"threads": 1, "accesslog": "-"}
    directory = tmp_path_factory.mktemp("rooms")
    with spawner(directory, beside_others, request.param) as spawn:
        yield spawn("rooms:app", settings=settings, env={"PYTHONPATH": str(HERE)})


@pytest.fixture(autouse=True)
def free_again(rooms: Server) -> Iterator[None]:
    """After each visit the worker's only place is free."""
    yield
    assert ask(rooms.address, get("/")).body == b"here\n"


def visit(server: Server, scene: str) -> list[str]:
    done = subprocess.run(
        [server.command.python, HERE / "visitor.py", server.url.replace("http", "ws"), scene],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{done.stderr}\n{server.log()}"
    return done.stdout.split("\n")[:-1]


def test_echo(rooms: Server) -> None:
    assert visit(rooms, "echo") == ["True"] * 4


def test_the_server_closes(rooms: Server) -> None:
    assert visit(rooms, "once") == ["hello", "closed: 1000, 1000"]


def test_the_client_leaves(rooms: Server) -> None:
    assert visit(rooms, "leaves") == ["hello"]


def test_the_handler_fails(rooms: Server) -> None:
    if rooms.command.is_gunicorn:
        pytest.skip("Gunicorn writes the framework's 500 page into the WebSocket")
    assert visit(rooms, "fails") == ["hello", "closed: None, None"]
    rooms.wait_log("RuntimeError: the handler failed")


def test_nothing_is_logged_about_a_socket(rooms: Server) -> None:
    before = rooms.log()
    visit(rooms, "once")
    visit(rooms, "leaves")
    assert ask(rooms.address, get("/last")).status == 404
    rooms.wait_log("GET /last")
    said = rooms.log()[len(before) :].splitlines()
    assert [line for line in said if '"GET / ' not in line and "GET /last" not in line] == []
