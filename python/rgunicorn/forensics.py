"""What the master finds out, and writes down, about workers that hang or have died: which requests
they ran, where their threads were.

An access line for each request that would otherwise have none goes through the configured logger
as any other does; its `resp` and `req` are made up here.
"""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from rgunicorn.reports import signal_name
from rgunicorn.text import printable

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

# nginx's: the client has closed the connection.
_CLIENT_CLOSED = 499

_PHASES = {
    "waiting": "waiting for the interpreter",
    "app": "in the application",
    "sending": "sending its response",
    "answered": "answered by 504",
    "coming": "not begun",
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
    running = _begun(box.running())
    _tell_requests(log, worker, running, "Stuck request", why)
    if not _tell_stacks(log, worker, running):
        cause = _state(worker.pid) if asked is not None else "it has not got so far"
        log.error("Worker (pid:%s) wrote no stacks: %s", worker.pid, cause)


def has_news(worker: Worker) -> bool:
    """Whether a worker runs requests that the error log does not know of."""
    box = worker.blackbox
    return box is not None and any(_key(it) not in box.told for it in _begun(box.running()))


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
        running = box.running()
        if code == 0:
            # It has left as it should: who did not send his request in time has been told so.
            running = _begun(running)
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


def _begun(running: list[Sighting]) -> list[Sighting]:
    return [sighting for sighting in running if sighting["phase"] != "coming"]


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
        request_id, peer = _text(sighting["request_id"]), _text(sighting["peer"])
        details = [
            *([f"id: {request_id}"] if request_id else []),
            *([f"from: {peer}"] if peer else []),
            f"age: {max(0, now_ns - sighting['started_ns']) / 1e9:.3f} s",
            f"phase: {_PHASES[sighting['phase']]}",
            f"pid: {worker.pid}",
        ]
        log.error("%s: %s (%s): %s", what, _words(sighting), ", ".join(details), why)


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
        owners.setdefault(sighting["thread"], []).append(_words(sighting))

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


def _status(worker: Worker, sighting: Sighting) -> int:
    """What a request without an answer is told of as."""
    if worker.aborted or sighting["phase"] == "answered":
        return int(HTTPStatus.GATEWAY_TIMEOUT)
    if sighting["client_gone"]:
        return _CLIENT_CLOSED
    return int(HTTPStatus.INTERNAL_SERVER_ERROR)


def _count(worker: Worker, sighting: Sighting) -> None:
    """Counts a request that its worker can not count any more, where it would have."""
    slot = getattr(worker.tmp, "slot", None)
    if slot is None:
        return
    age_ns = min(max(0, time.monotonic_ns() - sighting["started_ns"]), 2**62)
    called = sighting["phase"] not in ("coming", "waiting")
    slot.count_request(_status(worker, sighting), age_ns, app_ns=age_ns if called else None)
    if worker.aborted and not sighting["overdue"]:
        slot.count_event("overdue")


def _log_access(log: Any, worker: Worker, sighting: Sighting) -> None:
    status = _status(worker, sighting)
    request = LostRequest(sighting, worker)
    age_ns = max(0, time.monotonic_ns() - sighting["started_ns"])
    environ = request.environ()
    try:
        duration = timedelta(microseconds=min(age_ns // 1000, 10**15))
        log.access(LostResponse(request, status), request, environ, duration)
    except Exception:
        log.exception("Exception in the access log")


class LostRequest:
    """What is known of a request whose worker has died, with the names of `http.Request`."""

    body = None
    fragment = query = ""
    proxy_protocol_info = None
    must_close = True

    def __init__(self, sighting: Sighting, worker: Worker) -> None:
        self.method = _text(sighting["method"])
        self.path = self.uri = _path(sighting)
        self.version = sighting["version"]
        request_id = _text(sighting["request_id"])
        header = getattr(worker.cfg, "request_id_header", None)
        self.headers = [((header or "X-Request-ID").upper(), request_id)] if request_id else []
        self.request_id = request_id if header and request_id else None
        self.trailers: list[tuple[str, str]] = []
        self.scheme = "https" if worker.cfg.is_ssl else "http"
        self.peer_addr = self.remote_addr = (_text(sighting["peer"]), 0)
        self.worker_pid, self.worker_slot = worker.pid, worker.slot

    def should_close(self) -> bool:
        return True

    def environ(self) -> dict[str, Any]:
        """WSGI's names for the same."""
        environ = {
            "REQUEST_METHOD": self.method,
            "RAW_URI": self.uri,
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/{}.{}".format(*self.version),
            "REMOTE_ADDR": self.peer_addr[0],
            "wsgi.url_scheme": self.scheme,
        }
        for name, value in self.headers:
            environ[f"HTTP_{name.replace('-', '_')}"] = value
        return environ


class LostResponse:
    """The response that there was none, with the names of `http.wsgi.Response`."""

    headers: list[tuple[str, str]] = []
    headers_sent = False
    # Nobody knows how much of it went out; formats show what Gunicorn's logger expects.
    sent = 0
    sent_is_known = False
    must_log = True
    response_length = None

    def __init__(self, request: LostRequest, status: int) -> None:
        self.req = request
        closed = status == _CLIENT_CLOSED
        phrase = "Client Closed Request" if closed else HTTPStatus(status).phrase
        self.status = f"{status:d} {phrase}"
        self.status_code = int(status)

    def should_close(self) -> bool:
        return True


def _words(sighting: Sighting) -> str:
    return printable(f"{_text(sighting['method'])} {_path(sighting)}")


def _path(sighting: Sighting) -> str:
    return _text(sighting["path"]) + ("..." if sighting["path_cut"] else "")


def _text(octets: bytes) -> str:
    """As WSGI has it; whatever a client has sent, or a crashed process has written, in one line."""
    return printable(octets.decode("latin-1"))
