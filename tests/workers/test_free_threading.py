"""Python without the GIL; with one, the same holds trivially."""

from __future__ import annotations

import json
import sysconfig
from typing import Any

import pytest

from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wire import Wire, get, post


@pytest.fixture
def server(spawn: Spawn, mode: Mode) -> Server:
    return spawn("interpreter:app", mode)


def answer(server: Server, request: bytes) -> dict[str, Any]:
    with Wire(server.address) as wire:
        response = wire.send(request).response()
    assert response.status == 200, response
    found: dict[str, Any] = json.loads(response.body)
    return found


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has the GIL"
)
@pytest.mark.ours("Gunicorn is pure Python: nothing of it could turn the GIL on")
def test_the_core_does_not_turn_the_gil_on(server: Server) -> None:
    found = answer(server, get("/"))
    assert (found["free_threaded"], found["gil"]) == (True, False)
    assert "RuntimeWarning" not in server.log()


@pytest.mark.ours("Gunicorn's body is not made for two readers")
def test_two_threads_that_read_one_body(server: Server) -> None:
    """Each piece goes to one of them; who comes while the other reads may be told so."""
    sent = [f"{number:06d}," for number in range(20_000)]
    found = answer(server, post("/", "".join(sent).encode()))
    pieces = [piece for reader in found["input"] for piece in reader]
    assert sorted(piece for piece in pieces if piece != "RuntimeError") == sent
