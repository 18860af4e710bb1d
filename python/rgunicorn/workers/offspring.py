"""What the application forks inside a worker is no worker: it gets default signal handlers.

With the worker's, `multiprocessing.Process.terminate()` would only set `alive` in a copy of the
worker, and `Pool` would wait for ever for children that do not die.
"""

from __future__ import annotations

import signal
import threading
from os import register_at_fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.workers.base import Worker

# The worker that this process is.
_worker: Worker | None = None

# The signal mask of a thread before it forked.
_masks = threading.local()


def guard(worker: Worker) -> None:
    """From here on a fork of this process, `worker`, gives up the handlers of `worker`."""
    global _worker
    if _worker is None:
        register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_forget)
    _worker = worker


def _block() -> None:
    # A signal that comes in the child before `_forget` would meet the worker's handler, and then
    # be dropped by CPython, which forgets at a fork what it has noted: `terminate()` right after
    # `start()` would do nothing.
    if _worker is not None:
        _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _worker.SIGNALS)


def _unblock() -> None:
    before = _masks.__dict__.pop("before", None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget() -> None:
    global _worker
    worker = _worker
    if worker is None:
        return
    blackbox, slot = worker.blackbox, getattr(worker.tmp, "slot", None)
    for sig in worker.SIGNALS:
        if getattr(signal.getsignal(sig), "__self__", None) is worker:
            default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
            signal.signal(sig, default)
    signal.set_wakeup_fd(-1)
    _worker = None
    _unblock()
    if blackbox is not None:
        blackbox.secede()
    if slot is not None:
        slot.secede()
