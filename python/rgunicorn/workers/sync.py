"""The sync worker: one application call at a time.

The loop is the core's: it reads and writes any number of slow clients, and the application only
ever sees complete requests.
"""

from __future__ import annotations

from rgunicorn import _core
from rgunicorn.workers.native import NativeWorker


class StopWaiting(Exception):
    """Ends the wait for the next connection."""


class SyncWorker(NativeWorker):
    """Serves one request after the other; see `sync_keepalive` for kept-alive connections."""

    KIND = "sync"
    PER_REQUEST = (
        "accept",
        "handle",
        "handle_request",
        "handle_error",
        "is_parent_alive",
        "run_for_multiple",
        "run_for_one",
        "wait",
    )

    def run(self) -> None:
        """Serves until the worker is told to stop."""
        self.refuse_async_app()
        _core.serve_sync(self)
