"""Servers that speak TLS, and certificates for both sides."""

from __future__ import annotations

import pytest

from harness.certificates import Certificates, certificates
from harness.mode import TLS_MODES, Mode


@pytest.fixture(scope="module", params=TLS_MODES, ids=str)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Every test that uses it, itself or through `kitchen`, runs with both workers, over TLS."""
    found: Mode = request.param
    return found


@pytest.fixture(scope="session")
def files() -> Certificates:
    return certificates()
