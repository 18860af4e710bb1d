"""Suites in the gevent worker: bytes in, bytes out, and who may connect, as in native ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.server import TESTS, thirdparty

# What the parser does with it is in tests/workers/test_parser_corpus.py.
HTTP = ("app_errors", "bodies", "early_hints", "environ", "proxy", "response", "sendfile")
SUITES = {
    "wire": [f"wire/test_{name}.py" for name in HTTP],
    "tls": ["tls/test_clients.py::test_who_is_refused", "tls/test_clients.py::test_with_one"],
    "storms": ["storms/test_operations.py"],
    "uwsgi": [
        "uwsgi/test_packets.py",
        "uwsgi/test_peers.py",
        "uwsgi/test_variables.py",
        "uwsgi/test_nginx.py",
        "uwsgi/test_tls.py",
    ],
}


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite(suite: str) -> None:
    command = thirdparty("rgunicorn")
    if command is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    suites = [str(TESTS / path) for path in SUITES[suite]]
    env = os.environ | {
        "RGUNICORN_MODES": "gevent",
        "RGUNICORN_UNDER_TEST": " ".join(command.argv),
        "RGUNICORN_STORM_SHARE": "0.2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "not gevent-tcp", *suites],
        env=env,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout.splitlines()[-1]
