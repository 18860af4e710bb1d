"""What the workers have in common whose loop is the core's."""

from __future__ import annotations

# Loaded with this module, in the master: what every worker needs is shared memory then.
import rgunicorn.http.wsgi  # noqa: F401
from rgunicorn.workers import base


class NativeWorker(base.Worker):
    """A worker whose `run` hands everything that happens per request to the core."""

    #: Methods that the worker of this name calls in Gunicorn for every connection or request. The
    #: native loop does not call them: who overrides one must know.
    PER_REQUEST: tuple[str, ...] = ()
    #: What it is called in that warning.
    KIND = "native"

    def init_process(self) -> None:
        own = [name for name in self.PER_REQUEST if self._overrides(name)]
        if own:
            self.log.warning(
                "%s overrides %s, which the %s worker's native loop does not call",
                type(self).__name__,
                ", ".join(own),
                self.KIND,
            )
        super().init_process()

    def _overrides(self, name: str) -> bool:
        return getattr(type(self), name, None) is not getattr(base.Worker, name, None)
