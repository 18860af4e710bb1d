"""What a worker needs to look at how long its requests take: the queue in which it tells the
master, and the handler that writes stacks. The looking itself is the core's, `src/engine/limits.rs`.
"""

from __future__ import annotations

import signal
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Asks faulthandler for the stacks. Sent by us to ourselves only, while a handler is there.
SIGNAL = signal.SIGRTMAX - 3

# Room for some reports with their stacks, as far as net.core.wmem_max allows.
_BUFFER_BYTES = 1 << 20

_ends: tuple[socket.socket, socket.socket] | None = None
_wake: int | None = None


def is_on(cfg: Any) -> bool:
    """Whether anything is to be looked at."""
    return bool(cfg.request_timeout or cfg.log_slow)


def prepare(inbox: Any) -> None:
    """Makes the queue now, in the master, so that all workers share one.

    Args:
        inbox: what the master sleeps on.

    Raises:
        OSError: there are no descriptors left.
    """
    global _wake
    _make()
    if _wake is None:
        _wake = inbox.door()


def ends() -> tuple[int, int | None]:
    """Descriptors of the worker's end of the queue, and of what wakes the master."""
    return _make()[0].fileno(), _wake


def receive() -> bytes | None:
    """Takes one report out of the queue, in the master; None when there is no other."""
    if _ends is None:
        return None
    try:
        return _ends[1].recv(_BUFFER_BYTES, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


def register(fd: int) -> None:
    """Lets `SIGNAL` write the stacks of all threads to `fd`, in C and without the GIL."""
    import faulthandler

    faulthandler.register(SIGNAL, file=fd, all_threads=True, chain=False)


def _make() -> tuple[socket.socket, socket.socket]:
    global _ends
    if _ends is None:
        sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        _ends = sending, receiving
    return _ends
