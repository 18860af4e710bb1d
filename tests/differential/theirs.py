"""The two parsers ours is held to: real Gunicorn's, in its own environment, and h11."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h11

from .reading import PEER, SETTINGS, Fields, Message, Reading, Refusal, Unfinished


class Gunicorn:
    """Gunicorn's parser in a process of `python`, an interpreter that has Gunicorn."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def read(self, config: int, raw: bytes) -> Reading:
        """The request at the start of `raw` under `SETTINGS[config]`."""
        assert self._process.stdin and self._process.stdout
        question = json.dumps([config, raw.decode("latin-1")])
        self._process.stdin.write(question.encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Gunicorn's parser died of {raw!r}"
        return _reading(json.loads(line))


def _reading(said: dict[str, Any]) -> Reading:
    if "error" in said:
        return Refusal(said["error"], said["words"])
    if not said:
        return Unfinished()
    return Message(
        said["method"],
        said["target"],
        (said["version"][0], said["version"][1]),
        _pairs(said["fields"]),
        said["body"].encode("latin-1"),
        _pairs(said["trailers"]),
        said["used"],
        said["path"],
        said["query"],
        said["scheme"],
    )


def _pairs(fields: list[list[str]]) -> Fields:
    return tuple((name, value) for name, value in fields)


@contextlib.contextmanager
def gunicorn(python: str) -> Iterator[Gunicorn]:
    """The process, for as long as the block lasts."""
    script = Path(__file__).with_name("gunicorn_reader.py")
    argv = [python, str(script), json.dumps([SETTINGS, PEER])]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Gunicorn(process)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def read_h11(raw: bytes) -> Reading:
    """The request at the start of `raw`, by h11."""
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    conn.receive_data(raw)
    request = None
    body = b""
    try:
        while True:
            event = conn.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return Unfinished()
    except h11.RemoteProtocolError as error:
        return Refusal("RemoteProtocolError", str(error))
    assert request is not None
    major, _, minor = request.http_version.decode().partition(".")
    return Message(
        request.method.decode("latin-1"),
        request.target.decode("latin-1"),
        (int(major), int(minor)),
        _upper(request.headers),
        body,
        _upper(event.headers),
        len(raw) - len(conn.trailing_data[0]),
    )


def _upper(headers: Any) -> Fields:
    """Without the names that `header_map` drops."""
    fields = ((n.decode("latin-1").upper(), v.decode("latin-1")) for n, v in headers)
    return tuple((name, value) for name, value in fields if "_" not in name)
