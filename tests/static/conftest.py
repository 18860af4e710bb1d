"""Servers of this suite run `ledger:app` beside the files of one directory. An answer of the
application says so by `X-Worker`."""

from __future__ import annotations

import gzip
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Command, Spawn, spawner
from harness.shift import Shift, Start, start_shift

CSS = b"body { color: teal }\n" * 40


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`www` is served; `secret` lies beside it. All of it is an hour old."""
    root = tmp_path_factory.mktemp("site")
    www = root / "www"
    (www / "deep" / "er").mkdir(parents=True)
    (www / ".git").mkdir()
    (www / ".well-known").mkdir()
    (root / "secret").write_text("secret")
    files: dict[str, bytes] = {
        "x.css": CSS,
        "x.css.gz": gzip.compress(CSS),
        "x.css.br": b"not really brotli",
        "stale.js": b"let a = 1\n",
        "stale.js.gz": gzip.compress(b"let a = 0\n"),
        "plain.txt": b"0123456789",
        "empty.txt": b"",
        "noext": b"?",
        "pic.PNG": b"png",
        "a b\xc3\xa9%.html".encode("latin-1").decode("utf-8"): b"<p>odd</p>",
        "deep/er/y.woff2": b"font",
        "big.bin": random.Random(7).randbytes(3_000_001),
        ".env": b"PASSWORD=1",
        ".git/config": b"[core]",
        ".well-known/acme": b"token",
        "only.txt.gz": gzip.compress(b"only"),
    }
    for name, data in files.items():
        (www / name).write_bytes(data)
    hour_ago = time.time() - 3600
    for path in www.rglob("*"):
        os.utime(path, (hour_ago, hour_ago))
    os.utime(www / "stale.js.gz", (hour_ago - 60, hour_ago - 60))
    return root


@pytest.fixture(scope="module")
def module_spawn(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Spawn]:
    """Starts servers that all tests of a module share."""
    with spawner(tmp_path_factory.mktemp("server"), command) as started:
        yield started


@pytest.fixture(scope="module")
def shared(module_spawn: Spawn, site: Path) -> Start:
    """`shared(kind, transport="tcp", **settings)`: for all tests of the module that ask for it."""
    shifts: dict[str, Shift] = {}

    def started(kind: Kind = kinds.SYNC_KEPT, transport: str = "tcp", **settings: object) -> Shift:
        key = repr((kind.name, transport, settings))
        if key not in shifts:
            threads = {"threads": 2} if kind is kinds.GTHREAD else {}
            base = {"workers": 1, "accesslog": "-", "static_map": {"/static": f"{site}/www"}}
            together = {**kind.settings, **threads, **base, **settings}
            shifts[key] = start_shift(module_spawn, together, transport)
        return shifts[key]

    return started
