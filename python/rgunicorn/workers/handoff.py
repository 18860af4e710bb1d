"""The queue through which workers hand connections to each other.

A request that is ready while its worker is busy goes to whichever worker is idle. The queue is a
pair of unix sockets that every worker inherits; the kernel keeps what lies in it, also when the
worker that sent it dies.
"""

from __future__ import annotations

import socket

_ends: tuple[socket.socket, socket.socket] | None = None

# Room for some hundred connections on their way, as far as net.core.wmem_max allows.
_BUFFER_BYTES = 1 << 20


def prepare() -> None:
    """Makes the queue now, in the master, so that all workers share one.

    Raises:
        OSError: there are no descriptors left.
    """
    global _ends
    if _ends is None:
        sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        _ends = sending, receiving


def ends() -> tuple[int, int]:
    """Descriptors of the sending and the receiving end."""
    prepare()
    assert _ends is not None
    return _ends[0].fileno(), _ends[1].fileno()
