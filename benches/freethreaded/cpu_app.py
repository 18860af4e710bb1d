"""A WSGI application that computes, in pure Python, for a known number of steps.

`/spin/N` takes N steps and answers 2 bytes, `/facts` says in JSON what it runs on.
"""

from __future__ import annotations

import json
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any


def spin(steps: int) -> int:
    """Arithmetic, small objects and calls, a bit of everything that page code does.

    Without a number above 256 in it: free-threaded CPython 3.14 counts references to such a
    constant, and two threads that count on one cache line cost each other a third here.
    """
    total = 0
    words: list[str] = []
    for step in range(steps):
        total = (total * 31 + step) % 251
        words.append(str(total + step))
        if len(words) == 16:
            total += len("-".join(words))
            words = []
    return total


def steps_per_ms() -> float:
    """Steps this interpreter takes in a millisecond, best of five: for the harness."""
    spin(100_000)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        spin(100_000)
        best = min(best, time.perf_counter() - started)
    return 100_000 / best / 1000


def facts(environ: dict[str, Any]) -> dict[str, object]:
    gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return {
        "gil": gil(),
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "python": sys.version,
        "server": environ["SERVER_SOFTWARE"],
        "thread": threading.current_thread().name,
        "multithread": environ["wsgi.multithread"],
    }


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.startswith("/spin/"):
        spin(int(path[len("/spin/") :]))
        body, kind = b"ok", "text/plain"
    else:
        body, kind = json.dumps(facts(environ)).encode(), "application/json"
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    print(steps_per_ms())
