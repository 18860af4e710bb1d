"""The way out of worker classes with a loop of their own; the core's loops know it themselves."""

from __future__ import annotations

import os
import socket
import time

from rgunicorn import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Seconds that a client which was promised another request has for it when the worker leaves.
PARTING = 2.0


def promises(worker: Any) -> bool:
    """Whether a response of `worker` may promise another request on its connection."""
    return bool(worker.alive) and course(worker) == "serving"


def course(worker: Any) -> str:
    """What the server is about to do, as `Scoreboard.set_course` was told by the master."""
    slot = getattr(worker.tmp, "slot", None)
    return "serving" if slot is None else str(slot.course)


def has_heirs(worker: Any) -> bool:
    """Whether somebody else lets in who waits at the listeners of a worker that leaves."""
    slot = getattr(worker.tmp, "slot", None)
    if slot is None or slot.course in ("leaving", "closing"):
        return False
    if slot.course == "quitting":
        # Nobody does, and nobody shall.
        return True
    return not (slot.heirless or worker.cfg.reuse_port or worker.ppid != os.getppid())


def bar(worker: Any) -> float:
    """Sees to it that nobody comes to a listener after it was found that nobody waits there, who
    would be reset when it is closed. Only when the server ends: others may have it else. And only
    with TCP: accept(2) of a unix socket that is barred fails, which not every loop understands.

    Returns:
        Seconds for which those who have begun to come may still arrive.
    """
    seconds = 0.0
    if course(worker) == "closing":
        for listener in worker.sockets:
            if listener.family == socket.AF_UNIX:
                continue
            try:
                seconds = max(seconds, _core.bar(listener.fileno()))
            except OSError as exc:
                worker.log.debug("Nobody can be kept from %s: %s", listener, exc)
    return seconds


def sweep(worker: Any, let_in: Callable[[Any], bool], deadline: float) -> None:
    """Lets in who waits at the listeners, when nobody else does.

    Args:
        let_in: takes one connection of a listener; whether there was one.
        deadline: monotonic seconds; later nobody is let in.
    """
    if has_heirs(worker):
        return
    for is_barred in (False, True):
        waiting = list(worker.sockets)
        while waiting and time.monotonic() < deadline:
            worker.notify()
            # One from each: no listener waits for the end of another's queue.
            waiting = [listener for listener in waiting if let_in(listener)]
        if not is_barred:
            # The loop is not kept waiting for those that are still on their way.
            bar(worker)
