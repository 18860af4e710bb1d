"""gevent's own WSGI server, with our hooks, counters, log and TLS."""

from __future__ import annotations

import time
from datetime import datetime

import gevent
from gevent import pywsgi

from rgunicorn import tls
from rgunicorn.workers import counting, exchange, naming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import Flight


class GeventResponse:
    """A response as the access log sees it: the status line's text, pairs, bytes of body sent."""

    def __init__(self, status: Any, headers: Any, clength: int | None) -> None:
        self.status = status
        self.headers = headers
        self.sent = clength


class PyWSGIHandler(pywsgi.WSGIHandler):
    """Handles the requests of `PyWSGIServer`."""

    flight: Flight | None = None
    # Field and value of what the request is called.
    named: tuple[str, str] | None = None

    def handle_one_response(self) -> None:
        """Runs the application."""
        box = getattr(self.server, "blackbox", None)
        if box is not None and box.flights is not None:
            version = (1, 0) if self.request_version == "HTTP/1.0" else (1, 1)
            peer = self.client_address[0] if isinstance(self.client_address, tuple) else ""
            self.flight = box.flights.begin(
                self.command,
                self.path.partition("?")[0],
                version,
                str(peer),
                self.named[1] if self.named else self.headers.get("X-Request-ID") or "",
            )
        try:
            super().handle_one_response()
        finally:
            if self.flight is not None:
                self.flight.end()
                self.flight = None

    def finalize_headers(self) -> None:
        naming.sign(self.response_headers, self.named)
        super().finalize_headers()
        if self.flight is not None:
            self.flight.sending()

    def log_request(self) -> None:
        """Writes the access line by the worker's logger."""
        started = datetime.fromtimestamp(self.time_start)
        finished = datetime.fromtimestamp(self.time_finish or time.time())
        status = self.status
        if isinstance(status, bytes):
            status = status.decode("latin-1")
        answered = getattr(self, "response_headers", None) or []
        resp = GeventResponse(status, answered, self.response_length)
        headers = self.headers.items() if getattr(self, "headers", None) else []
        environ = getattr(self, "environ", None) or {}
        self.server.log.access(resp, list(headers), environ, finished - started)
        slot = counting.slot_of(getattr(self.server, "worker", None))
        if slot is not None:
            # Without a status line its client has gone.
            code = counting.code_of(status) if status else counting.CLIENT_LEFT
            slot.count_request(code, max(0, int((finished - started).total_seconds() * 1e9)))
        if self.flight is not None:
            self.flight.counted()
            self.flight.logged()

    def get_environ(self) -> dict[str, Any]:
        self.named = naming.take(self.server, self.client_address, self.headers)
        environ: dict[str, Any] = super().get_environ()
        environ["gunicorn.sock"] = self.socket
        environ["RAW_URI"] = self.path
        if hasattr(self.socket, "getpeercert"):
            environ.update(tls.connection_environ(self.socket))
        naming.tell(environ, self.named)
        return environ


class PyWSGIServer(pywsgi.WSGIServer):
    """gevent's WSGI server on one of our listeners."""

    # Seconds for a TLS handshake; `client_header_timeout` may be less.
    HANDSHAKE = 10.0

    # Set by the worker; programs that use this class alone have none.
    worker: Any = None

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Shakes hands, then serves. A peer that does not get there in time holds no place in the
        pool, and one that fails is a line in the log, not a greenlet's traceback."""
        # `wrap_socket` is no method to override: gevent puts the context's in its place.
        client = client_socket
        later = {**self.ssl_args, "do_handshake_on_connect": False}
        try:
            with gevent.Timeout(self._handshake_limit(), TimeoutError("TLS handshake")):
                client = self.wrap_socket(client_socket, **later)
                client.do_handshake()
        except OSError as exc:
            if self.worker is None:
                raise
            exchange.report_failure(self.worker, None, client, address, exc)
            # For the alert, as in `GeventWorker`.
            exchange.part(client, clean=False)
            return
        try:
            self.handle(client, address)
        finally:
            client.close()

    def _handshake_limit(self) -> float:
        given = 0 if self.worker is None else self.worker.cfg.client_header_timeout
        return min(given or self.HANDSHAKE, self.HANDSHAKE)
