"""A connection with TLS stays with its worker; new ones still go to whoever is free."""

from __future__ import annotations

from harness.mode import Mode
from harness.server import Spawn
from harness.shift import start_shift, worker
from harness.wire import Wire, ask


def test_it_waits_for_its_own_worker(spawn: Spawn, mode: Mode) -> None:
    settings = {**mode.settings, **mode.keep_alive, "workers": 2, "threads": 1}
    shift = start_shift(spawn, settings, mode.transport)
    with Wire(shift.address) as wire:
        own = worker(wire.send(shift.get("/hello")).response())
        with shift.occupied(own):
            name = shift.new_id()
            wire.send(shift.get("/hello", id=name))
            for _ in range(3):
                response = ask(shift.address, shift.get("/hello", "Connection: close"))
                assert worker(response) != own
            assert shift.ledger.run(name) is None, "the idle worker has run it"
        response = wire.response()
        assert (response.header("X-Id"), worker(response)) == (name, own)
