"""An application that asks for more of a body at once than there is memory for gets MemoryError."""

from __future__ import annotations

import sysconfig

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.server import Spawn
from harness.wire import Wire, post

MIB = 1024 * 1024


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without the GIL, Python's allocator has reserved the memory long before",
)
@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
@pytest.mark.parametrize("size", [12 * MIB, 48 * MIB], ids=["buffered", "as it comes"])
def test_a_body_that_does_not_fit(spawn: Spawn, kind: Kind, size: int) -> None:
    server = spawn("hungry:application", settings={**kind.settings, "workers": 1})
    (worker,) = server.workers()
    for length, said in ((1000, b"1000"), (size, b"MemoryError"), (1000, b"1000")):
        with Wire(server.address) as wire:
            assert wire.send(post("/", b"u" * length)).response().body == said
    assert server.workers() == [worker]
    assert "panic" not in server.log()
