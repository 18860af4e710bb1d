"""A request that stays inside the application until a file exists.

For applications whose `/gate/some/path` writes `in the gate` to the log and waits for that path.
"""

from __future__ import annotations

from pathlib import Path

from .server import Server
from .wire import Wire, get


def gate(server: Server) -> Path:
    """The file that lets the requests of `enter` go on."""
    return server.directory / "gate"


def enter(server: Server) -> Wire:
    """Sends a request and waits until it is inside the application."""
    wire = Wire(server.address)
    seen = server.log().count("in the gate")
    wire.send(get(f"/gate{gate(server)}"))
    server.wait_log("in the gate", seen + 1)
    return wire
