"""What becomes of the connections of a worker that was killed: those on which nothing ran go on in
its siblings, or in its successor (docs/design/dispatch.md, "A worker that is killed")."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.glogging import Logger
    from rgunicorn.workers.base import Worker

# Addresses in one line.
_MOST = 8


def rescue(log: Logger, worker: Worker, code: int | None, sig: int | None) -> None:
    """Takes the connections out of the vault of a worker that has ended. Before its requests are
    told of: those that are rescued are not lost.

    Args:
        log: the logger.
        worker: the worker.
        code: its exit code, None when a signal has ended it, or nobody knows.
        sig: that signal.
    """
    box = worker.blackbox
    if box is None or box.vault is None:
        return
    try:
        if code == 0:
            # It has parted with its clients itself.
            box.vault.clear()
            return
        # What a worker was receiving when it crashed, or hung, may be why.
        blameless = sig == signal.SIGKILL and not worker.aborted and not worker.killed
        moved, left, closed = box.vault.rescue(box.flights, blameless, worker.sockets)
    except OSError as exc:
        log.error("Connections of worker (pid:%s) could not be rescued: %s", worker.pid, exc)
        return
    if moved:
        log.info("Connections of worker (pid:%s) that go on elsewhere: %s", worker.pid, moved)
    if left:
        log.warning("Connections of worker (pid:%s) closed for want of room: %s", worker.pid, left)
    if closed:
        # What its client may have sent since, nobody has read.
        shown = ", ".join(sorted(set(closed))[:_MOST])
        more = ", ..." if len(set(closed)) > _MOST else ""
        log.warning(
            "Connections of worker (pid:%s) closed between two requests: %s (from: %s%s)",
            worker.pid,
            len(closed),
            shown,
            more,
        )
