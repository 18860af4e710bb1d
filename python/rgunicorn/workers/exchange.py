"""One request from its hook to its access line, for worker classes with a loop of their own.

The native workers do the same in `src/py/app.rs` and `src/py/ending.rs`.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from datetime import datetime

from rgunicorn import util
from rgunicorn.http import wsgi
from rgunicorn.http.errors import NoMoreData
from rgunicorn.workers import counting, parting, recycling, timekeeping
from rgunicorn.workers.naming import called
from rgunicorn.workers.refusal import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rgunicorn._core import Flight

# Threads count together.
_counting = threading.Lock()

# Seconds in which a client may take note of our end of a connection that it still writes to.
LINGER = 2.0


class Taken(Exception):
    """The application has answered on the socket itself; nothing is to be sent any more."""


class Gone(Exception):
    """The client has gone, or makes no progress; its cause says which."""


def run_request(
    worker: Any,
    req: Any,
    sock: Any,
    addr: Any,
    server: Any,
    *,
    multithread: bool,
    keepalive: bool,
    is_handled: Callable[[Any], bool] | None = None,
) -> bool:
    """Runs the application for `req` and sends what it answers, hooks and access line included.

    Args:
        worker: whose `wsgi`, `cfg`, `log`, `alive` and `nr` these are.
        req, sock, addr, server: as for `wsgi.create`.
        multithread: `wsgi.multithread`.
        keepalive: the worker is ready for another request on this connection.
        is_handled: whether what the application returned says that it has answered itself.

    Returns:
        Whether the connection can take another request.

    Raises:
        Taken: the application speaks with the client itself.
        Gone: the client has gone.
        Exception, SystemExit: whatever was raised before anything was sent: `report_failure`
            answers. A SystemExit is the application's as long as `worker.alive`.
    """
    started = req.started = datetime.now()
    environ: dict[str, Any] = {}
    resp: Any = None
    flight = depart(worker, req, addr)
    timed = timekeeping.enter(worker, req, sock, addr, flight)
    bill = counting.Bill(worker, flight)
    bill.timed = timed
    try:
        worker.cfg.pre_request(worker, req)
        resp, environ = wsgi.create(req, sock, addr, server, worker.cfg)
        resp.flight = flight
        environ["wsgi.multithread"] = multithread
        if timed is not None:
            timekeeping.tell(timed, resp, environ)
        count(worker)
        if not (keepalive and parting.promises(worker)):
            resp.force_close()
        try:
            respiter = worker.wsgi(environ, resp.start_response)
        except StopIteration:
            # A WebSocket handler that is done says so.
            raise Taken from None
        if is_handled is not None and is_handled(respiter):
            raise Taken
        closed = False
        try:
            if not wsgi.ClientSocket.is_taken(environ):
                _send(resp, respiter, environ)
                bill.answer(counting.code_of(resp.status))
                _report(worker, req, resp)
                if timed is None or timed.claim_line():
                    _log_access(worker, resp, req, environ, started)
            closed = True
            close(respiter)
        finally:
            # PEP 3333: however the iteration ended.
            if not closed:
                close(respiter)
        if wsgi.ClientSocket.is_taken(environ):
            raise Taken
        return not resp.should_close() and not (timed is not None and timed.is_overruled)
    except Taken:
        bill.answer(counting.TAKEN)
        raise
    except (Exception, SystemExit) as exc:
        if isinstance(exc, SystemExit) and not worker.alive:
            # That of a signal handler.
            raise
        if wsgi.ClientSocket.is_taken(environ):
            bill.answer(counting.TAKEN)
            worker.log.exception("Error handling request %s%s", req.uri, called(req))
            raise Taken from None
        _count_failure(bill, exc, req, resp)
        if is_departure(exc, req, resp):
            if flight is not None:
                flight.client_gone()
            raise Gone from exc
        mine = timed is None or timed.claim_line()
        if resp is None or not resp.headers_sent:
            if mine:
                raise
            # The client has been told that it took too long.
            worker.log.exception("Error handling request %s%s", req.uri, called(req))
            raise Gone from BrokenPipeError(errno.EPIPE, timekeeping.TOO_LATE)
        # Too late for an error page: the missing end tells the client.
        worker.log.exception("Error handling request%s", called(req))
        if mine:
            _log_access(worker, resp, req, environ, started)
        return False
    finally:
        try:
            worker.cfg.post_request(worker, req, environ, resp)
        except Exception:
            worker.log.exception("Exception in post_request hook")
        finally:
            if timed is not None:
                timed.end()
            if flight is not None:
                flight.end()


def _count_failure(bill: counting.Bill, exc: BaseException, req: Any, resp: Any) -> None:
    gone = is_departure(exc, req, resp)
    refused = None if gone else refusal(exc)
    if not gone and refused is None:
        bill.note_exception()
    if resp is not None and resp.headers_sent:
        bill.answer(counting.code_of(resp.status))
    elif gone:
        bill.answer(counting.CLIENT_LEFT)
    else:
        bill.answer(refused[0] if refused else 500)


def depart(worker: Any, req: Any, addr: Any) -> Flight | None:
    """Notes that `worker` runs `req`, for whoever tells of it if the worker dies. The caller ends
    what it gets; None when there is nowhere to note it."""
    box = getattr(worker, "blackbox", None)
    if box is None or box.flights is None:
        return None
    proxied = getattr(req, "proxy_protocol_info", None)
    peer = proxied["client_addr"] if proxied else addr[0] if isinstance(addr, tuple) else ""
    request_id = getattr(req, "request_id", None)
    if request_id is None:
        request_id = next((value for name, value in req.headers if name == "X-REQUEST-ID"), "")
    flight: Flight | None = box.flights.begin(
        req.method, req.path, req.version, str(peer), request_id
    )
    return flight


def _log_access(worker: Any, resp: Any, req: Any, environ: Any, started: datetime) -> None:
    worker.log.access(resp, req, environ, datetime.now() - started)
    if getattr(resp, "flight", None) is not None:
        resp.flight.logged()


def count(worker: Any) -> None:
    """Counts a request that is about to run."""
    with _counting:
        worker.nr += 1
        if recycling.count(worker):
            worker.alive = False


def _send(resp: Any, respiter: Any, environ: dict[str, Any]) -> None:
    if isinstance(respiter, environ["wsgi.file_wrapper"]):
        resp.write_file(respiter)
    else:
        for item in respiter:
            resp.write(item)
    resp.close()


def _report(worker: Any, req: Any, resp: Any) -> None:
    if getattr(resp, "short_by", 0):
        worker.log.warning(
            "Response to %s %s is %s bytes shorter than its Content-Length; closing the connection",
            req.method,
            req.uri,
            resp.short_by,
        )


def close(respiter: Any) -> None:
    """PEP 3333: calls `close` of what the application returned, if it has one."""
    if hasattr(respiter, "close"):
        respiter.close()


def is_departure(exc: BaseException, req: Any, resp: Any) -> bool:
    """Whether `exc` says of the client, and not of the application, that something is wrong."""
    if isinstance(exc, NoMoreData):
        return True
    broken = getattr(resp, "broken", False) or req.unreader.broken
    return isinstance(exc, OSError) and broken


def report_failure(worker: Any, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
    """Logs why a connection ends, and answers if that is still possible.

    Raises:
        BaseException: `exc` itself, when it is no matter of the request.
    """
    if isinstance(exc, SystemExit) and not worker.alive:
        # That of a signal handler.
        raise exc
    # Nothing but the connection can fail before there is a request.
    gone = exc.__cause__ if isinstance(exc, Gone) else exc if req is None else None
    if not isinstance(gone, OSError):
        if req is None:
            # With a request, whoever has run it has counted it.
            refused = refusal(exc)
            counting.refuse(worker, refused[0] if refused else 500)
        worker.handle_error(req, client, addr, exc)
    elif isinstance(gone, TimeoutError) and gone.errno is None:
        worker.log.warning("Client timed out: ip=%s", addr[0] if addr else "")
    elif _is_refusal(gone):
        worker.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", gone)
    else:
        worker.log.debug("Ignored premature client disconnection. %s", gone)


def _is_refusal(exc: OSError) -> bool:
    """Whether TLS found something wrong; not that the connection just ended.

    Known by the names of the classes: `ssl` is not worth its memory where nobody uses it.
    """
    names = {cls.__name__ for cls in type(exc).__mro__}
    return "SSLError" in names and not names & {"SSLEOFError", "SSLZeroReturnError"}


def patience(cfg: Any) -> float | None:
    """Seconds that a client may make no progress with its body, or with ours; None for any time."""
    limits = (cfg.client_body_timeout, cfg.client_write_timeout)
    return max(limits) if all(limits) else None


def part(sock: Any, clean: bool) -> None:
    """Closes a connection.

    Args:
        sock: the client's socket.
        clean: the client has nothing more to say. Otherwise the answer would be lost with what
            it still sends: our end is said first, and the rest is read and forgotten, for
            `LINGER` seconds at most.
    """
    try:
        if hasattr(sock, "unwrap"):
            _say_goodbye(sock)
        if not clean:
            sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + LINGER
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(65536):
                    break
    except OSError:
        # Gone, or still writing: it had its time.
        pass
    finally:
        util.close(sock)


def _say_goodbye(sock: Any) -> None:
    """TLS's close_notify, without a wait for the answer: an end without it may be an attacker's."""
    sock.settimeout(0)
    # There is hardly ever an answer yet.
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()
