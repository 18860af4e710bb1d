"""`rgunicorn stats` as tests call it, and requests that it can see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from harness.server import TESTS, Server, clean_environment
from harness.wait import until
from harness.wire import Wire, get
from rgunicorn.top.document import document
from rgunicorn.top.finding import find
from rgunicorn.top.reading import Reader
from rgunicorn.top.report import as_json

SCHEMA = json.loads((TESTS.parent / "docs/observability/stats.schema.json").read_text())
Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = Draft202012Validator(SCHEMA)

Document = dict[str, Any]


def run(*args: str | int, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """`rgunicorn` with these words."""
    return subprocess.run(
        [sys.executable, "-m", "rgunicorn", *map(str, args)],
        cwd=cwd,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
    )


def look(pid: int) -> Document:
    """What `rgunicorn stats --json` would say, without a process for it."""
    text = as_json(document(Reader(find(str(pid))).sample(shares=True)))
    return _valid(text)


def told(*args: str | int) -> Document:
    """What `rgunicorn stats --json` says."""
    done = run("stats", "--json", *args)
    assert (done.returncode, done.stderr) == (0, ""), done
    return _valid(done.stdout)


def _valid(text: str) -> Document:
    """The document, which is as the schema has it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in {text}")

    found: Document = json.loads(text, parse_constant=refuse)
    VALIDATOR.validate(found)
    return found


def currents(document: Document) -> list[Document]:
    """All requests that run."""
    return [it for worker in document["workers"] for it in worker.get("current", [])]


@contextmanager
def at_the_gate(server: Server, *names: str) -> Iterator[None]:
    """Requests that are inside the application, one for each name, until the end of the block.

    They ask for `/gate/DIRECTORY/NAME`, which `apps/responses.py` answers once there is such a
    file.
    """
    wires = [Wire(server.address).send(get(gate(server, name))) for name in names]
    try:
        until(lambda: len(currents(look(server.pid))) >= len(names), "requests in the gate")
        yield
    finally:
        for name in names:
            (server.directory / name).touch()
        for wire in wires:
            assert wire.response().status == 200
            wire.close()


def gate(server: Server, name: str) -> str:
    """The path of such a request."""
    return f"/gate{server.directory}/{name}"
