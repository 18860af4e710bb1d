"""A WSGI call without a server: it compiles, calls the application, and says microseconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MEASURE = Path(__file__).parents[2] / "benches" / "wsgi_call" / "measure.py"


def test_a_wsgi_call_is_measured() -> None:
    command = [sys.executable, str(MEASURE), "--seconds", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"hello", "browser"}
    assert all(cost > 0 for cost in found.values())
