"""What a worker needs to look at how long its requests take: the queue in which it tells the
master, and the handler that writes stacks. The core does the looking: `src/engine/timekeeper.rs`.
"""

from __future__ import annotations

import signal
import socket
from urllib.parse import unquote_to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn import _core
    from rgunicorn.workers.heralds import Road

# Asks faulthandler for the stacks, in a file of the timekeeper's own. Sent by us to ourselves only,
# while a handler is there. The black box has the number before it, for the master.
SIGNAL = signal.SIGRTMIN + 15

# Why something can not be sent any more.
TOO_LATE = "the client was told that it took too long"

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


def enter(
    worker: Any, req: Any, sock: Any, addr: Any, flight: _core.Flight | None
) -> _core.Timed | None:
    """A request enters the application, in the calling thread.

    Args:
        worker: has a `timekeeper`, if anybody is to look.
        req: the request.
        sock: the client's socket.
        addr: the peer's address.
        flight: the request as the master sees it.

    Returns:
        What knows whether it may still answer; None when nobody looks.
    """
    if worker.timekeeper is None:
        return None
    version = ".".join(str(part) for part in req.version)
    path = req.path_info
    if path is None:
        path = unquote_to_bytes(req.path).decode("latin-1")
    fields = [req.method, req.uri, path, req.query, version, _peer(req, addr)]
    # How long it has waited is not known here.
    fields += "", getattr(req, "request_id", None) or ""
    for name, value in req.headers:
        fields += name, value
    road = worker.herald(sock) if hasattr(sock, "getpeercert") else True
    return watch(worker, sock, road, fields, flight)


def watch(
    worker: Any, sock: Any, road: Road, fields: list[str], flight: _core.Flight | None
) -> _core.Timed | None:
    """Lets the timekeeper of `worker` look at a request.

    Args:
        worker: has a `timekeeper`.
        sock: the client's socket.
        road, fields, flight: as for `_core.Timekeeper.enter`.

    Returns:
        None when there are no descriptors left: better a request without limits than none.
    """
    try:
        timed: _core.Timed = worker.timekeeper.enter(sock.fileno(), road, fields, flight)
    except OSError as exc:
        worker.log.error("Nobody looks at how long %s %s takes: %s", fields[0], fields[1], exc)
        return None
    return timed


def _peer(req: Any, addr: Any) -> str:
    if req.is_uwsgi and "REMOTE_ADDR" in req.uwsgi_vars:
        return str(req.uwsgi_vars["REMOTE_ADDR"])
    if req.proxy_protocol_info:
        return str(req.proxy_protocol_info["client_addr"])
    return str(addr[0]) if isinstance(addr, tuple) else ""


def tell(timed: _core.Timed, resp: Any, environ: dict[str, Any]) -> None:
    """Lets the response ask before it sends, and the application move its deadline."""
    resp.timed = timed
    environ["gunicorn.socket"]._timed = timed
    deadline = timed.deadline
    if deadline is not None:
        environ["rgunicorn.deadline"] = deadline


def _make() -> tuple[socket.socket, socket.socket]:
    global _ends
    if _ends is None:
        sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        _ends = sending, receiving
    return _ends
