"""A WSGI call without a server: it compiles, calls the application, and says microseconds."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from harness.server import free_port
from harness.wait import until
from harness.wire import Wire, get

BENCHES = Path(__file__).parents[2] / "benches"
MEASURE = BENCHES / "wsgi_call" / "measure.py"


def test_both_in_one_process(tmp_path: Path) -> None:
    """The responder as a library, with a call before each answer; short heads and a long one."""
    target = tmp_path / "target"
    manifest = BENCHES / "load" / "responder" / "Cargo.toml"
    command = ["cargo", "build", "--quiet", "--locked", "--manifest-path", str(manifest)]
    subprocess.run([*command, "--target-dir", str(target)], check=True, timeout=300)
    port = free_port()
    library = target / "debug" / "libresponder.so"
    command = [sys.executable, str(BENCHES / "wsgi_call" / "serve.py"), str(library), str(port)]
    with subprocess.Popen(command, start_new_session=True) as server:
        try:
            until(lambda: listens(port), "it to listen", 60)
            with Wire(("127.0.0.1", port)) as wire:
                for fields in ((), (), [f"X-Field: {'x' * 1000}"]):
                    response = wire.send(get("/", *fields)).response()
                    assert (response.status, response.body) == (200, b"Hello, World!")
            assert server.poll() is None
        finally:
            server.kill()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_wsgi_call_is_measured() -> None:
    command = [sys.executable, str(MEASURE), "--seconds", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"hello", "browser"}
    assert all(cost > 0 for cost in found.values())
