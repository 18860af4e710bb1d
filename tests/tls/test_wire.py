"""What the wire suite says of bodies, responses and files, over TLS."""

from __future__ import annotations

from wire import test_app_errors, test_bodies, test_early_hints, test_response, test_sendfile
from wire.conftest import address, server

__all__ = ["address", "server"]

for module in (test_app_errors, test_bodies, test_early_hints, test_response, test_sendfile):
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    assert not tests.keys() & globals().keys(), "a test of this name is there already"
    globals().update(tests)
