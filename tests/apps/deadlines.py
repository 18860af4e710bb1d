"""Applications that take too long, for `request_timeout` and `log_slow`.

What waits, waits for a file: `GATE/NAME`, a directory of the environment. The first element of the
path says what to do, the second is NAME.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GATE = Path(os.environ.get("GATE", "."))

BIG = 8 << 20


def opened(name: str) -> bool:
    return (GATE / name).exists()


def wait_for(name: str) -> None:
    """Sleeps, in Python, until the file is there."""
    while not opened(name):
        time.sleep(0.02)


def note(name: str) -> None:
    (GATE / name).touch()


def stuck_in_python(name: str) -> None:
    wait_for(name)


def stuck_in_c() -> None:
    # PyDLL keeps the GIL.
    ctypes.PyDLL(None).sleep(60)


def app(environ: dict[str, Any], start_response: Any) -> Any:
    _, what, name, *_ = [*environ["PATH_INFO"].split("/"), "", ""]
    body = b"ok"
    if what == "stuck":
        note(f"{name}.in")
        stuck_in_python(name)
        note(f"{name}.out")
    elif what == "c":
        stuck_in_c()
    elif what == "extend":
        # To far away, and by the last call, to none at all.
        told = [environ["rgunicorn.deadline"](seconds) for seconds in (0.5, 600, 0)]
        note(f"{name}.in")
        wait_for(name)
        body = repr(told).encode()
    elif what == "shorten":
        environ["rgunicorn.deadline"](0.3)
        wait_for(name)
    elif what == "negative":
        try:
            environ["rgunicorn.deadline"](-1)
        except ValueError as exc:
            body = str(exc).encode()
    elif what == "stream":
        return stream(name, start_response)
    elif what == "take":
        environ["gunicorn.socket"].sendall(b"my own words")
        note(f"{name}.in")
        wait_for(name)
    elif what == "big":
        body = bytes(BIG)
    elif what == "late":
        wait_for(name)
        try:
            write = start_response("200 OK", [("Content-Length", "4")])
            write(b"late")
        except OSError as exc:
            (GATE / f"{name}.raised").write_text(type(exc).__name__)
            raise
        return []
    elif what == "fails":
        wait_for(name)
        raise RuntimeError("after all this time")
    elif what == "facts":
        threads = [
            Path(path, "comm").read_text().strip() for path in Path("/proc/self/task").iterdir()
        ]
        body = repr(
            (sorted(key for key in environ if "deadline" in key), threads, os.getpid())
        ).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def stream(name: str, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"beginning"
    wait_for(name)
    yield b"end"
