"""The server with default settings, in every mode."""

from __future__ import annotations

import pytest

from harness.server import Address, Kitchen, Server


@pytest.fixture
def server(kitchen: Kitchen) -> Server:
    return kitchen()


@pytest.fixture
def address(server: Server) -> Address:
    return server.address
