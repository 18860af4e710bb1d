"""What the wire suite says of bodies, responses and files, over TLS."""

from __future__ import annotations

from wire import test_app_errors, test_bodies, test_early_hints, test_response, test_sendfile
from wire.conftest import address, server

__all__ = ["address", "server"]

for module in (test_app_errors, test_bodies, test_early_hints, test_response, test_sendfile):
    topic = module.__name__.rpartition("test_")[2]
    for name, test in vars(module).items():
        if name.startswith("test_"):
            globals()[f"test_{topic}_{name.removeprefix('test_')}"] = test
