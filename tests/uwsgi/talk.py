"""One packet, and what the application of tests/apps/environ.py says about it."""

from __future__ import annotations

import json

from harness.server import Address, Server
from harness.wire import Response, Wire

Environ = dict[str, object]


def ask(address: Address, raw: bytes) -> Response:
    """One packet on a connection of its own."""
    with Wire(address) as wire:
        return wire.send(raw).response()


def environ(response: Response) -> Environ:
    """The values that the application was given."""
    assert response.status == 200, response
    return {key: value for key, (_, value) in json.loads(response.body).items()}


def seen(server: Server, raw: bytes) -> Environ:
    """The same, for one packet on a connection of its own."""
    return environ(ask(server.address, raw))
