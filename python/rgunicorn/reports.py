"""What the error log says of what the fleet has seen: of actions that are nothing but a line."""

from __future__ import annotations

import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import Action
    from rgunicorn.oom import OomCounter
    from rgunicorn.workers.base import Worker


def say(log: Any, action: Action, ended: Worker | None, oom: OomCounter) -> None:
    """Writes the line of `action`.

    Args:
        log: the logger.
        action: what the fleet wants to be said.
        ended: the worker that it is about, if it has ended.
        oom: what told of its OOM kill.
    """
    match action:
        case ("code", pid, code):
            log.error("Worker (pid:%s) exited with code %s.", pid, code)
        case ("signal", pid, signal.SIGKILL):
            log.error("Worker (pid:%s) was sent SIGKILL! %s", pid, _who_killed(ended, oom))
        case ("signal", pid, signal.SIGTERM):
            log.info("Worker (pid:%s) was sent SIGTERM!", pid)
        case ("signal", pid, signal.SIGALRM):
            # `_process.end_within`, unless somebody has an alarm of his own.
            hint = "Perhaps it did not end in time after it said that it exits?"
            log.warning("Worker (pid:%s) was sent SIGALRM! %s", pid, hint)
        case ("signal", pid, sig):
            log.warning("Worker (pid:%s) was sent %s!", pid, signal_name(sig))
        case ("unknown", pid):
            log.debug("Reaped unknown child process (pid:%s)", pid)
        case ("retry", pid, pause):
            log.error(
                "Worker (pid:%s) failed to boot, the others serve on; "
                "next try in %.0f s at the earliest",
                pid,
                pause,
            )
        case ("retry_fork", pause):
            log.error("The worker that was to be replaced serves on; next try in %.0f s", pause)
        case ("no_room", pause):
            log.error("No room for a worker that is missing; next try in %.1f s", pause)
        case ("back_off", pid, pause):
            log.error(
                "Workers die soon after boot, the last one was (pid:%s): next in %.1f s at most",
                pid,
                pause,
            )


def tell_age(log: Any, worker: Worker, now: float) -> None:
    """`max_worker_lifetime`: the worker is too old at the monotonic second `now`."""
    log.info(
        "Worker (pid:%s) is %.0f s old, above max_worker_lifetime = %s: it leaves when its "
        "successor is ready",
        worker.pid,
        now - worker._forked,
        worker.cfg.max_worker_lifetime,
    )


def tell_hang(log: Any, worker: Worker) -> None:
    """It never finishes booting."""
    log.critical(
        "WORKER BOOT TIMEOUT (pid:%s): the application is not loaded after %.0f s",
        worker.pid,
        time.monotonic() - worker._forked,
    )


def tell_count(log: Any, count: int) -> None:
    """How many workers there are, for instrument.statsd, which sends records with these extras."""
    metric = {"metric": "gunicorn.workers", "value": count, "mtype": "gauge"}
    log.debug("%s workers", count, extra=metric)


def tell_backlog(log: Any, listeners: list[Any]) -> None:
    """How many connections wait at `listeners`, for instrument.statsd."""
    # Unix sockets do not tell (-1). With reuse_port it is the workers that have the queues.
    waiting = [n for n in (listener.get_backlog() for listener in listeners) if n >= 0]
    if waiting:
        total = sum(waiting)
        metric = {"metric": "gunicorn.backlog", "value": total, "mtype": "histogram"}
        log.debug("socket backlog: %s", total, extra=metric)


def of_failed_reload(pid: int | None, stay: int) -> str:
    """Why a reload has failed.

    Args:
        pid: of the worker that did not boot, None when it was time that ran out.
        stay: how many new workers serve on until old ones have taken their places again.
    """
    why = f"worker (pid:{pid}) failed to boot"
    if pid is None:
        why = "the new workers took too long to boot"
    if stay:
        why += f"; {stay} that are new already serve until old ones are back"
    return why


def signal_name(sig: int) -> str:
    """`SIGKILL` for 9; real-time signals have no name."""
    try:
        return signal.Signals(sig).name
    except ValueError:
        return f"signal {sig}"


def _who_killed(ended: Worker | None, oom: OomCounter) -> str:
    """What to say of SIGKILL. Gunicorn always asks the question; monitors look for it."""
    question = "Perhaps out of memory?"
    if ended is not None and ended.killed:
        return f"{question} (No: it had not left in time.)"
    if ended is None or ended.oom_kills is None:
        return question
    if not ended.oom_kills:
        return f"{question} (No: the {oom.scope} has counted no OOM kill.)"
    return f"{question} (Yes: of the {oom.scope}, {oom.name} {ended.oom_kills}.)"
