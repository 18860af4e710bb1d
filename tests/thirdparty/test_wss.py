"""flask-sock over TLS: simple-websocket reads in a thread of its own, writes in another, selects on
the descriptor and sends pings, all on `environ["gunicorn.socket"]`."""

from __future__ import annotations

import subprocess

import pytest

from harness.certificates import certificates
from harness.mode import TLS_MODES, Mode
from harness.server import Command, Spawn

CLIENT = """
import ssl, sys, simple_websocket

context = ssl.create_default_context(cafile=sys.argv[2])
ws = simple_websocket.Client(sys.argv[1], ssl_context=context)
for number in range(100):
    ws.send(f"line {number}")
    assert ws.receive(timeout=20) == f"LINE {number}"
ws.send("x" * 300_000)
assert ws.receive(timeout=20) == "X" * 300_000
# Two pings pass by meanwhile.
assert ws.receive(timeout=1.3) is None
ws.send("still there")
assert ws.receive(timeout=20) == "STILL THERE"
ws.send("bye")
try:
    ws.receive(timeout=20)
except simple_websocket.ConnectionClosed as closed:
    print(closed.reason.value)
"""


@pytest.mark.parametrize("mode", TLS_MODES, ids=str)
def test_a_websocket(spawn: Spawn, beside_others: Command, mode: Mode) -> None:
    server = spawn("wss:app", mode, command=beside_others)
    url = server.url.replace("https://", "wss://") + "/upper"
    argv = [beside_others.python, "-c", CLIENT, url, certificates().ca]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1000\n", "")
    assert "Traceback" not in server.log()
    server.assert_clean_exit()
