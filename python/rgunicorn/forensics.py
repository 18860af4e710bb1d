"""What the master finds out, and writes down, about workers that hang or have died: which requests
they ran, where their threads were.

An access line for each request that would otherwise have none goes through the configured logger
as any other does; its `resp` and `req` are made up in `lost`.
"""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import timedelta

from rgunicorn import rescue
from rgunicorn.lost import LostRequest, LostResponse, status_of, text_of, words_of
from rgunicorn.reports import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import Action, Sighting
    from rgunicorn.workers.base import Worker

# Seconds that all workers together have for writing their stacks; it takes milliseconds.
PATIENCE = 0.5
# Between two looks; a file that has not grown in between is complete.
_PAUSE = 0.02
# Stacks that were asked for so lately need not be asked for again.
_FRESH = 5.0

_PHASES = {
    "waiting": "waiting for the interpreter",
    "app": "in the application",
    "sending": "sending its response",
    "answered": "answered by 504",
    "coming": "not begun",
    "departing": "its client was being sent the rest of the response",
}

_THREAD = re.compile(r"^((?:Current t|T)hread 0x([0-9a-f]+)[^\n]*?):?$", re.MULTILINE)
_WORKER_BEGINS = re.compile(r'  File ".*supervisor\.py", line \d+ in _live$')
_FATAL_ABORT = "Fatal Python error: Aborted"


def ask(workers: list[Worker]) -> None:
    """Has the workers write their stacks. Who asks all of them first waits only once."""
    now = time.monotonic()
    for worker in workers:
        box = worker.blackbox
        if box is not None and isinstance(worker.pid, int):
            box.ask(worker.pid, now)


def examine(log: Any, worker: Worker, why: str) -> None:
    """Writes down which requests a worker runs that still lives, and where its threads are.

    Args:
        log: the logger.
        worker: the worker.
        why: what is wrong with it.
    """
    box = worker.blackbox
    if box is None:
        return
    if box.asked is None or time.monotonic() - box.asked > _FRESH:
        ask([worker])
    asked = box.asked
    if asked is not None:
        _await_stacks(worker, asked + PATIENCE)
    running = _with_thread(box.running())
    _tell_requests(log, worker, running, "Stuck request", why)
    if not _tell_stacks(log, worker, running):
        cause = _state(worker.pid) if asked is not None else "it has not got so far"
        log.error("Worker (pid:%s) wrote no stacks: %s", worker.pid, cause)


def before_kill(log: Any, worker: Worker) -> None:
    """Notes that the master kills it, and writes down what the error log does not know of it."""
    worker.killed = True
    if not worker.aborted or _has_news(worker):
        examine(log, worker, "it did not leave in time, and is killed")


def doomed(actions: list[Action], workers: dict[int, Worker]) -> list[Worker]:
    """The workers that `actions` are about to abort or to kill."""
    pids = [
        action[1]
        for action in actions
        if action[0] in ("timeout", "hang") or action[0] == "kill" and action[2] == signal.SIGKILL
    ]
    found = (workers.get(pid) for pid in pids)
    return [worker for worker in found if worker is not None and not worker.aborted]


def bury(log: Any, worker: Worker, code: int | None, sig: int | None) -> None:
    """Writes down what a worker that has ended leaves behind: an error line and an access line for
    each request that it ran, and its stacks, if they have not been written down before.

    Args:
        log: the logger.
        worker: the worker.
        code: its exit code.
        sig: the signal that ended it; both None when nobody knows.
    """
    box = worker.blackbox
    if box is None:
        return
    try:
        rescue.rescue(log, worker, code, sig)
        running = box.running()
        if code == 0:
            # It has left as it should: who did not send his request in time has been told so.
            running = [sighting for sighting in running if sighting["phase"] != "coming"]
        _write_lines(log, worker)
        _tell_requests(log, worker, running, "Lost request", _how_it_ended(worker, code, sig))
        for sighting in running:
            if not sighting["counted"]:
                _count(worker, sighting)
            if not sighting["logged"]:
                _log_access(log, worker, sighting)
        _tell_stacks(log, worker, running)
        if box.flights is not None and box.flights.overflow:
            log.warning(
                "Worker (pid:%s) had no room to note %s more requests",
                worker.pid,
                box.flights.overflow,
            )
    finally:
        box.close()


def _has_news(worker: Worker) -> bool:
    """Whether a worker runs requests that the error log does not know of."""
    box = worker.blackbox
    return box is not None and any(_key(it) not in box.told for it in _with_thread(box.running()))


def _with_thread(running: list[Sighting]) -> list[Sighting]:
    return [sighting for sighting in running if sighting["phase"] not in ("coming", "departing")]


def _how_it_ended(worker: Worker, code: int | None, sig: int | None) -> str:
    if worker.aborted:
        return "its worker timed out"
    if worker.killed:
        return "its worker did not leave in time, and was killed"
    if worker.oom_kills:
        return "its worker was killed by SIGKILL, out of memory"
    if sig is not None:
        return f"its worker was killed by {signal_name(sig)}"
    return f"its worker exited with code {code}" if code is not None else "its worker vanished"


def _tell_requests(log: Any, worker: Worker, running: list[Sighting], what: str, why: str) -> None:
    assert worker.blackbox is not None
    now_ns = time.monotonic_ns()
    for sighting in running:
        key = _key(sighting)
        # The deadline's watch has written its own.
        if key in worker.blackbox.told or sighting["overdue"]:
            continue
        worker.blackbox.told.add(key)
        request_id, peer = text_of(sighting["request_id"]), text_of(sighting["peer"])
        details = [
            *([f"id: {request_id}"] if request_id else []),
            *([f"from: {peer}"] if peer else []),
            f"age: {max(0, now_ns - sighting['started_ns']) / 1e9:.3f} s",
            f"phase: {_PHASES[sighting['phase']]}",
            f"pid: {worker.pid}",
        ]
        log.error("%s: %s (%s): %s", what, words_of(sighting), ", ".join(details), why)


def _key(sighting: Sighting) -> object:
    return (sighting["tid"], sighting["started_ns"], sighting["path"])


def _tell_stacks(log: Any, worker: Worker, running: list[Sighting]) -> bool:
    assert worker.blackbox is not None
    stacks = worker.blackbox.stacks().strip("\n")
    if worker.aborted and stacks.lstrip().startswith(_FATAL_ABORT):
        # We have sent that signal ourselves, and asked for the stacks just before.
        return True
    if not stacks:
        return False
    owners: dict[int, list[str]] = {}
    for sighting in running:
        owners.setdefault(sighting["thread"], []).append(words_of(sighting))

    def named(match: re.Match[str]) -> str:
        words = owners.get(int(match[2], 16))
        return f"{match[1]}: {', '.join(words)}" if words else match[0]

    # Indented, a line of it can not be taken for one of the log's own.
    stacks = _THREAD.sub(named, without_master(stacks)).replace("\n", "\n  ")
    log.error("Stacks of worker (pid:%s):\n  %s", worker.pid, stacks)
    return True


def without_master(stacks: str) -> str:
    """`stacks` without the frames below a worker's first one: they are the master's, from before
    the fork, and the same in all of them."""
    kept: list[str] = []
    inside = False
    for line in stacks.split("\n"):
        inside = inside and line.startswith("  File ")
        if not inside:
            kept.append(line)
        inside = inside or _WORKER_BEGINS.match(line) is not None
    return "\n".join(kept)


def _await_stacks(worker: Worker, deadline: float) -> None:
    assert worker.blackbox is not None
    before = -1
    while (now := worker.blackbox.unread()) != before or not now:
        if time.monotonic() >= deadline:
            return
        before = now
        time.sleep(_PAUSE)


def _state(pid: Any) -> str:
    """Why a process does not answer a signal, as far as the kernel tells."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "it has ended"
    words = {"D": "it is inside the kernel", "T": "it is stopped", "Z": "it has ended"}
    return words.get(state, "it did not answer in time")


def _write_lines(log: Any, worker: Worker) -> None:
    """Writes the access lines of requests that a worker had answered; it writes several at once."""
    assert worker.blackbox is not None
    lines, gone = worker.blackbox.unwritten()
    if not lines and not gone:
        return
    # Where the worker would have written them, unless the logger has been changed since.
    fd = log.native_access_fd() if hasattr(log, "native_access_fd") else None
    octets = "".join(f"{line}\n" for line in lines).encode()
    written = 0
    try:
        if fd is not None and (flush := log.native_access_flush()) is not None:
            flush()
        while fd is not None and written < len(octets):
            written += os.write(fd, octets[written:])
    except OSError:
        # A disk that has taken nothing of the worker takes nothing of us.
        pass
    gone += octets.count(b"\n", written)
    if gone:
        log.error("Worker (pid:%s) took %s access lines with it", worker.pid, gone)


def _count(worker: Worker, sighting: Sighting) -> None:
    """Counts a request that its worker can not count any more, where it would have."""
    slot = getattr(worker.tmp, "slot", None)
    if slot is None:
        return
    age_ns = min(max(0, time.monotonic_ns() - sighting["started_ns"]), 2**62)
    called = sighting["phase"] not in ("coming", "waiting")
    slot.count_request(status_of(worker, sighting), age_ns, app_ns=age_ns if called else None)
    if worker.aborted and not sighting["overdue"]:
        slot.count_event("overdue")


def _log_access(log: Any, worker: Worker, sighting: Sighting) -> None:
    status = status_of(worker, sighting)
    request = LostRequest(sighting, worker)
    age_ns = max(0, time.monotonic_ns() - sighting["started_ns"])
    environ = request.environ()
    try:
        duration = timedelta(microseconds=min(age_ns // 1000, 10**15))
        log.access(LostResponse(request, status), request, environ, duration)
    except Exception:
        log.exception("Exception in the access log")
