"""What the workers have in common whose loop is the core's."""

from __future__ import annotations

import os
import time

# Loaded with this module, in the master: what every worker needs is shared memory then.
import rgunicorn.http.banner  # noqa: F401
from rgunicorn import _core
from rgunicorn.errors import AppImportError
from rgunicorn.workers import base, vaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config

# CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`, which takes long to import.
_ASYNC = 0x80 | 0x200

# Requests that have no thread, not yet or not any more, and are noted all the same, beside one for
# each thread; as in the core's `booking.rs`.
_WITHOUT_THREAD = 256


class NativeWorker(base.Worker):
    """A worker whose `run` hands everything that happens per request to the core."""

    #: Methods that the worker of this name calls in Gunicorn for every connection or request. The
    #: native loop does not call them: a class that has its own of one is served by a loop in Python
    #: that does.
    PER_REQUEST: tuple[str, ...] = ()
    #: What it is called in the warning about that.
    KIND = "native"

    #: The functions of those names as our classes have them.
    ORIGINALS: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._standing = _core.Standing()
        super().__init__(*args, **kwargs)

    @property
    def alive(self) -> bool:
        """Whether the worker goes on. Assigned by signal handlers, hooks and `max_requests`."""
        return self._standing.alive

    @alive.setter
    def alive(self, value: bool) -> None:
        self._standing.alive = value

    @property
    def nr(self) -> int:
        """Requests so far."""
        return self._standing.nr

    @nr.setter
    def nr(self, value: int) -> None:
        self._standing.nr = value

    @classmethod
    def flight_room(cls, cfg: Config) -> int:
        return max(1, cfg.threads) + _WITHOUT_THREAD

    @classmethod
    def vault_room(cls, cfg: Config) -> int:
        return vaults.room(cfg)

    @classmethod
    def slates(cls, cfg: Config) -> int:
        # The application's threads, and gthread's main thread.
        return max(1, cfg.threads) + 1

    @classmethod
    def speaks_uwsgi(cls) -> bool:
        return True

    def at_work(self, handle: Any, *args: Any) -> Any:
        """Calls `handle` as a piece of this worker's work, which `min_workers` and `max_workers`
        go by. The native loops count by themselves."""
        slot, since = self.tmp.slot, time.monotonic_ns()
        slot.begin_work(since)
        try:
            return handle(*args)
        finally:
            slot.end_work(since, time.monotonic_ns())

    @classmethod
    def times_requests(cls) -> bool:
        return True

    @classmethod
    def names_requests(cls) -> bool:
        return True

    @classmethod
    def logs_requests(cls) -> bool:
        return True

    @classmethod
    def serves_files(cls) -> bool:
        return True

    def own_methods(self) -> list[str]:
        """Names of the methods in `PER_REQUEST` that a subclass has overridden, or somebody
        replaced."""
        return [
            name
            for name in self.PER_REQUEST
            if getattr(getattr(self, name), "__func__", None) is not self.ORIGINALS[name]
        ]

    def is_python_needed(self) -> bool:
        """Whether the loop in Python has to serve; says so, with the reason."""
        own = self.own_methods()
        if own:
            self.log.info(
                "%s overrides %s: requests go through a loop in Python that calls it, which is "
                "slower than the %s worker's native one and has no threads for slow clients",
                type(self).__name__,
                ", ".join(own),
                self.KIND,
            )
        return bool(own)

    def settle_upload_dir(self) -> None:
        """Does without a `tmp_upload_dir` that can not be used, and says so.

        Gunicorn reads that setting nowhere, so a configuration may name what is long gone.
        """
        given = self.cfg.tmp_upload_dir
        if given is None or (os.path.isdir(given) and os.access(given, os.W_OK | os.X_OK)):
            return
        self.cfg.set("tmp_upload_dir", None)
        self.log.warning(
            "tmp_upload_dir = %r is no directory that this user can write to: large bodies go to "
            "the directory for temporary files instead",
            given,
        )

    def refuse_async_app(self) -> None:
        """Refuses an ASGI application, which would fail for every request.

        A function declared `async` can not be a WSGI application: calling it returns a coroutine,
        and nobody can iterate over one. Called by `run`, when hooks and subclasses have had their
        chance to wrap the application.

        Raises:
            AppImportError: the application is such a function, or an object that is called by one.
        """
        for function in (self.wsgi, type(self.wsgi).__call__):
            flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
            if isinstance(flags, int) and flags & _ASYNC:
                raise AppImportError(
                    f"The application {self.wsgi!r} is asynchronous (ASGI), and the {self.KIND} "
                    "worker serves WSGI applications. Use worker_class = 'asgi' or "
                    "'uvicorn_worker.UvicornWorker', or wrap the application."
                )
