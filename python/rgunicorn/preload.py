"""`Preload`: what the workers are going to inherit, made fit for it before the first fork."""

from __future__ import annotations

import gc
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.arbiter import Arbiter

_ADVICE = (
    "They do not live on in the workers, and a lock that one of them holds stays locked there for "
    "ever: start threads in post_fork or post_worker_init, or when they are first needed."
)


class Preload:
    """Looks after the memory and the threads of a master that is about to fork."""

    def __init__(self) -> None:
        # The application whose objects are frozen.
        self._frozen: object = None
        self._named: str | None = None

    def prepare(self, server: Arbiter) -> None:
        """Before the first fork of a configuration: freezes a preloaded application if that is
        wanted, and names threads that a fork would lose."""
        self._freeze(server)
        self._name_threads(server)

    def _freeze(self, server: Arbiter) -> None:
        cfg = server.cfg
        app = server.app.wsgi() if cfg.preload_app and cfg.preload_freeze else None
        if app is self._frozen:
            return
        if self._frozen is not None:
            # Of an application that was loaded again, or is not preloaded any more.
            gc.unfreeze()
        self._frozen = app
        if app is not None:
            # Garbage first: frozen, it would stay for good.
            gc.collect()
            gc.freeze()
            server.log.debug("preload_freeze: %s objects", gc.get_freeze_count())

    def _name_threads(self, server: Arbiter) -> None:
        named = threads()
        if named is not None and named != self._named:
            server.log.warning("Threads are alive where workers are forked: %s. %s", named, _ADVICE)
        self._named = named


def threads() -> str | None:
    """The threads of this process beside the main one, in words; None when there are none."""
    count = _count()
    if count == 1:
        # What Python may still call threads are gevent's greenlets, which a fork copies.
        return None
    others = [it.name for it in threading.enumerate() if it is not threading.main_thread()]
    words = [repr(name) for name in others]
    # Of a library in C, for example.
    unknown = count - 1 - len(others)
    if unknown > 0:
        words.append(f"{unknown} that Python does not know")
    return ", ".join(words) or None


def _count() -> int:
    """How many threads this process has, as the kernel says; 0 when it does not."""
    try:
        with open("/proc/self/status", "rb") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(b"Threads:"))
    except (OSError, StopIteration):
        # A root directory without /proc: Python's own threads are named all the same.
        return 0
