"""The status pages beside worker classes with an event loop of their own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harness.server import spawner, thirdparty
from harness.status import Pages, pages_port, process_of
from harness.wait import until
from harness.wire import Wire, get

APPS = Path(__file__).parent / "async_apps"
KINDS = {
    "gevent": "kitchen:app",
    "tornado": "torn:wsgi",
    "asgi": "plain:app",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_worker_class_is_ready_and_counted(kind: str, tmp_path: Path) -> None:
    command = thirdparty("rgunicorn")
    if command is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    pages = Pages(("127.0.0.1", pages_port()))
    with spawner(tmp_path, command) as spawn:
        server = spawn(
            KINDS[kind],
            ready=False,
            settings={"worker_class": kind, "workers": 2, "status_bind": pages.bind},
            env={"PYTHONPATH": f"{APPS}:{APPS.parent.parent / 'apps'}", "FILE": str(tmp_path)},
        )
        pages.wait_ready(server)
        for _ in range(5):
            with Wire(server.address) as wire:
                wire.send(get("/", "Connection: close"))
                wire.response()
        assert pages.ask("/healthz") == (200, "ok\n")
        found = pages.stats()["workers"]
        assert len(found) == 2 and all(worker["accepting"] == 1 for worker in found)
        assert "workers: ok, 2 of 2 can take requests" in pages.ask("/readyz")[1]
        told = [worker for worker in found if "responses" in worker["rgunicorn"]]
        if told:

            def requests() -> int:
                return sum(worker["requests"] for worker in pages.stats()["workers"])

            # A request is counted when it has ended, a moment after the client has the response.
            until(lambda: requests() >= 5, "five requests to be counted", show=server.log)
            assert requests() == 5
        assert pages.curl("/metrics")[0] == 200
        pid = process_of(server)
        server.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        until(lambda: not Path(f"/proc/{pid}").exists(), "the status process to be gone")
        assert pages.refuses()
