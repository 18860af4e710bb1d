"""The same bytes to both servers: status, headers, body, environ."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Address, Command
from harness.wire import Closed, Response, Wire
from parity import normal
from parity.cases import CASES, Case
from parity.differences import BY_ID

if TYPE_CHECKING:
    from parity.conftest import MakePair


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(bytes(range(256)) * 1171 + b"end" * 75 + b"..")
    return path


def answer(address: Address, case: Case) -> dict[str, object]:
    """All a server says to a request until it closes, taken apart as far as it can be."""
    with Wire(address, source=case.source) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # A server may refuse by the head alone.
            wire.send(case.raw).half_close()
        try:
            said = wire.read_to_close()
        except ConnectionResetError:
            return {"reset": True}
    found = take_apart(said, case.raw.lstrip().split(b" ", 1)[0])
    if case.app == "environ:with_body" and found.get("body") == b"" and "headers" in found:
        # HEAD: the length is that of an environ that names the server.
        normal.without_length(found)
    return found


def take_apart(said: bytes, method: bytes) -> dict[str, object]:
    """The first response and, under `rest`, those to the requests behind the first one."""
    if not said:
        return {"silent": True}
    replay = Replay(said)
    try:
        found = normal.response(replay.response(method.decode("latin-1")))
    except (Closed, ValueError, IndexError):
        head, _, body = said.partition(b"\r\n\r\n")
        found = {**normal.response(Response(head + b"\r\n\r\n")), "cut": True, "body": body}
    else:
        if rest := replay.read_to_close():
            found["rest"] = take_apart(rest, b"GET")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found["body"] = normal.environ(json.loads(found["body"]))  # type: ignore[arg-type]
        normal.without_length(found)
    return found


class Replay(Wire):
    """Reads from bytes that were already received."""

    def __init__(self, data: bytes) -> None:
        self._buffer = bytearray(data)

    def _receive(self) -> bool:
        return False


EACH = [
    pytest.param(name, marks=[pytest.mark.only("the case's peer", case.transport)])
    if case.transport
    else name
    for name, case in CASES.items()
]


@pytest.mark.parametrize("name", EACH)
def test_same_answer(
    shared_pair: MakePair, mode: Mode, command: Command, file: Path, name: str
) -> None:
    case = CASES[name]
    pair = shared_pair(
        case.app,
        settings={"workers": 1, **case.settings},
        env={"FILE": str(file), **case.env},
    )
    theirs, ours = (answer(server.address, case) for server in pair)
    for found, server in ((theirs, pair.theirs), (ours, pair.ours)):
        hide_path(found, server.address)
    theirs = normal.with_right_reason(theirs)
    if command.is_gunicorn:
        ours = normal.with_right_reason(ours)
    if case.difference is None or case.differs_in not in (None, mode.worker):
        same(ours, theirs, f"{name}: rgunicorn (actual) and Gunicorn (expected)")
        return
    assert case.difference in BY_ID, "no row of differences.py"
    if command.is_gunicorn:
        return
    if case.status is None:
        assert ours != theirs, f"{case.difference} does not show any more: {ours}"
    else:
        status = str(ours.get("status", ""))
        assert status.split(" ")[1:2] == [str(case.status)], f"{ours}, Gunicorn: {theirs}"


def hide_path(found: dict[str, object], address: Address) -> None:
    """A unix listener's path is SERVER_NAME where no Host says otherwise."""
    for value in found.values():
        if isinstance(value, dict):
            hide_path(value, address)
        elif isinstance(value, list) and value[1:] == [address]:
            value[1] = "SOCKET"
