"""What workers report of requests that take long, as lines of the master's logs.

The worker itself may not be able to say anything any more: its threads may wait for a lock that
one of them never gives back, the GIL. So it sends what it knows (`src/engine/timekeeper.rs`), and
the master, which has both loggers, says it.
"""

from __future__ import annotations

import signal
import struct
from datetime import timedelta
from types import SimpleNamespace

from rgunicorn import forensics
from rgunicorn.workers import timekeeping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Reports said at once; the rest waits for the next turn of the master's loop.
_AT_ONCE = 100

# How the client was told, by the word of the report.
_ENDS = {
    "answered": "the client was sent 504",
    "unheard": "the connection was cut, for it could not be sent 504",
    "cut": "the connection was cut in the middle of the response",
    "late": "its response was complete, something after it still runs",
}


def look(master: Any) -> None:
    """Says what workers have reported, and ends those that are to leave and have no requests but
    such as nobody waits for.

    Args:
        master: the `Supervisor`.
    """
    say_all(master.log, master.WORKERS)
    for pid, worker in list(master.WORKERS.items()):
        slot = getattr(worker.tmp, "slot", None)
        if slot is None or not worker.dismissed or worker.lost or not slot.is_lost:
            continue
        worker.lost = worker.killed = True
        master.log.info("Ending worker (pid:%s): its requests are past request_timeout", pid)
        master.kill_worker(pid, signal.SIGKILL)


def say_all(log: Any, workers: dict[int, Any]) -> None:
    """Says what workers have reported.

    Args:
        log: the master's logger.
        workers: those that live, by pid.
    """
    for _ in range(_AT_ONCE):
        message = timekeeping.receive()
        if message is None:
            return
        try:
            fields = [field.decode("latin-1") for field in _fields(message)]
            _say(log, workers.get(int(fields[1])), fields)
        except Exception:
            # A worker may write anything before it dies, and a logger may be anybody's.
            log.exception("A report of a worker could not be logged")


def _fields(message: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 <= len(message):
        (size,) = struct.unpack_from("<I", message, at)
        yield message[at + 4 : at + 4 + size]
        at += 4 + size


def _say(log: Any, worker: Any, fields: list[str]) -> None:
    kind, pid, end, micros, thread, stack = fields[:6]
    method, uri, path, query, version, addr, waited_us, request_id = fields[6:14]
    headers = list(zip(fields[14::2], fields[15::2], strict=False))
    age = timedelta(microseconds=int(micros))
    # Without its query, which may hold what is nobody's business.
    what = f"{method} {_printable(path)}" + (f" (id: {request_id})" if request_id else "")
    seconds = f"{age.total_seconds():.1f}"
    if kind == "slow":
        log.warning("Slow request: %s runs for %s s (pid:%s)", what, seconds, pid)
        return
    if kind == "sample":
        log.warning(
            "Stack at half the request_timeout: %s runs for %s s (pid:%s) in thread %s\n  %s",
            what,
            seconds,
            pid,
            thread,
            _sorted(stack, thread) or "(stack shown above)",
        )
        return
    log.error(
        "REQUEST TIMEOUT: %s ran for %s s (pid:%s) in thread %s; %s\n  %s",
        what,
        seconds,
        pid,
        thread,
        _ENDS[end],
        _sorted(stack, thread) or "(stack shown above)",
    )
    if end == "late":
        return
    req = SimpleNamespace(
        method=method,
        uri=uri,
        query=query,
        version=tuple(version.split(".")),
        path_info=path,
        headers=headers,
        worker_pid=int(pid),
        worker_slot=getattr(worker, "slot", None),
        queue_us=int(waited_us) if waited_us else None,
        request_id=request_id or None,
    )
    resp = SimpleNamespace(
        status="504 Gateway Timeout",
        status_code=504,
        headers=[],
        sent=0,
        # Of a response that was cut off nobody knows how much went out.
        sent_is_known=end in ("answered", "unheard"),
        response_length=0,
        must_log=True,
    )
    log.access(resp, req, {"REMOTE_ADDR": addr}, age)


def _sorted(stack: str, thread: str) -> str:
    """The stacks of all threads, that of `thread` first. Indented: a line of them can not be taken
    for one of the log's own."""
    parts = [part for part in forensics.without_master(stack).strip().split("\n\n") if part]
    parts.sort(key=lambda part: f"hread {thread} " not in part)
    return "\n\n".join(parts).replace("\n", "\n  ")


def _printable(text: str) -> str:
    """`text` of a client, on one line."""
    return text if text.isprintable() else repr(text)[1:-1]
