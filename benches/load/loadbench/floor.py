"""What a WSGI call costs CPython: the part of the floor that the responder does not have."""

from __future__ import annotations

import json
import subprocess
import sys

from loadbench.errors import BenchError
from loadbench.paths import WSGI_CALL

_PROGRAM = WSGI_CALL / "measure.py"
_LIMIT_S = 120


def wsgi_call_us(core: int, seconds: float) -> dict[str, float]:
    """CPU microseconds of one call of the hello application, by the request it is called for.

    `hello` and `browser`; benches/wsgi_call/wsgi_call.c says what is in it. Measured for `seconds`
    on `core` by the Python that runs the harness, the one that all servers are installed for.
    Raises BenchError when it can not be compiled.
    """
    command = [sys.executable, str(_PROGRAM), "--core", str(core), "--seconds", str(seconds)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_LIMIT_S + seconds, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"{_PROGRAM.name}: {done.stderr.strip()[-1000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
