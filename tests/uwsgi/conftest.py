"""A server that speaks uwsgi."""

from __future__ import annotations

import pytest

from harness.server import Kitchen, Server


@pytest.fixture
def server(kitchen: Kitchen) -> Server:
    return kitchen(protocol="uwsgi")
