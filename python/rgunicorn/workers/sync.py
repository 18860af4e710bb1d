"""The sync worker: one application call at a time.

The loop is the core's: it reads and writes any number of slow clients, and the application only
ever sees complete requests.
"""

from __future__ import annotations

# Loaded with this module, in the master: what every worker needs is shared memory then.
import rgunicorn.http.wsgi  # noqa: F401
from rgunicorn import _core
from rgunicorn.workers import base

# Methods of Gunicorn's sync worker that its core calls for every connection or request. Ours does
# not: who overrides one of them must know.
_PER_REQUEST = (
    "accept",
    "handle",
    "handle_request",
    "handle_error",
    "is_parent_alive",
    "run_for_multiple",
    "run_for_one",
    "wait",
)


class StopWaiting(Exception):
    """Ends the wait for the next connection."""


class SyncWorker(base.Worker):
    """Serves one request after the other; see `sync_keepalive` for kept-alive connections."""

    def init_process(self) -> None:
        own = [name for name in _PER_REQUEST if getattr(type(self), name, None) not in _OURS]
        if own:
            self.log.warning(
                "%s overrides %s, which the sync worker's native loop does not call",
                type(self).__name__,
                ", ".join(own),
            )
        super().init_process()

    def run(self) -> None:
        """Serves until the worker is told to stop."""
        _core.serve_sync(self)


_OURS = {None, *(getattr(base.Worker, name, None) for name in _PER_REQUEST)}
