"""The sync worker: one application call at a time.

The loop is the core's: it reads and writes any number of slow clients, and the application only
ever sees complete requests.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

from rgunicorn import _core, util
from rgunicorn.workers.native import NativeWorker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger


# Seconds that a running request has for its end after QUIT or INT.
_QUICK = 1.0


class StopWaiting(Exception):
    """Ends the wait for the next connection."""


class SyncWorker(NativeWorker):
    """Serves one request after the other; see `sync_keepalive` for kept-alive connections."""

    KIND = "sync"
    PER_REQUEST = (
        "accept",
        "handle",
        "handle_request",
        "handle_error",
        "is_parent_alive",
        "run_for_multiple",
        "run_for_one",
        "wait",
    )

    #: The native loop, as signal handlers need it.
    attendant: _core.Attendant | None = None

    # QUIT has come, and since then the running request's time has passed.
    _quits = False
    _time_is_up = False

    @classmethod
    def capacity(cls, cfg: Config) -> int:
        return 1

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Warns about a `request_timeout` that never comes to pass."""
        if 0 < cfg.timeout <= cfg.request_timeout:
            log.warning(
                "request_timeout = %s has no effect: timeout = %s ends the sync worker first. "
                "Set timeout to more than that.",
                cfg.request_timeout,
                cfg.timeout,
            )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: leave after the requests that have come."""
        super().handle_exit(sig, frame)
        if self.attendant is not None:
            # The application may go on for long: others must not wait for it alone.
            self.attendant.attend()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT, SIGINT: leave now, but let a request that runs end if it does so soon."""
        if self._quits:
            if self._time_is_up or self.attendant is None or not self.attendant.calling:
                sys.exit(0)
            return
        if self.attendant is None or not self.attendant.calling:
            super().handle_quit(sig, frame)
        self._quits = True
        self.alive = False
        self.cfg.worker_int(self)
        # Not by `threading`: we may be inside of it, with its lock.
        _thread.start_new_thread(self._insist, ())

    def _insist(self) -> None:
        time.sleep(min(_QUICK, self.cfg.graceful_timeout / 2))
        self._time_is_up = True
        os.kill(os.getpid(), signal.SIGQUIT)

    def run(self) -> None:
        """Serves until the worker is told to stop."""
        self.refuse_async_app()
        self.settle_upload_dir()
        if not self.is_python_needed():
            _core.serve_sync(self)
            return
        from rgunicorn.workers import counting

        self.put_files_first()
        self.timekeeper = _core.Timekeeper.of(self)
        counting.opens(self, "app", "running", "exception", "refused", room=1)
        # Often enough to see soon that the master is gone; 0 is no limit for the master.
        timeout = min(self.timeout or 0.5, 1.0)
        for listener in self.sockets:
            listener.setblocking(False)
        if len(self.sockets) > 1:
            self.run_for_multiple(timeout)
        else:
            self.run_for_one(timeout)
        from rgunicorn.workers import parting

        parting.sweep(self, self._accept, time.monotonic() + self.cfg.graceful_timeout)

    # What follows is the loop for subclasses that override a part of it.

    def run_for_one(self, timeout: float) -> None:
        """Serves the only listener. `timeout`: seconds between two heartbeats."""
        while self.alive:
            self.notify()
            if self._accept(self.sockets[0]):
                # There may be more: no need to wait.
                continue
            if not self.is_parent_alive():
                return
            try:
                self.wait(timeout)
            except StopWaiting:
                return

    def run_for_multiple(self, timeout: float) -> None:
        """Serves all listeners. `timeout`: seconds between two heartbeats."""
        while self.alive:
            self.notify()
            try:
                ready = self.wait(timeout)
            except StopWaiting:
                return
            for listener in ready or ():
                if listener != self.PIPE[0]:
                    self._accept(listener)
            if not self.is_parent_alive():
                return

    def wait(self, timeout: float) -> list[Any]:
        """Waits until somebody connects or a signal comes, `timeout` seconds at most.

        Returns:
            The listeners that are ready, and perhaps the pipe.
        """
        import select

        self.notify()
        ready = select.select(self.wait_fds, [], [], timeout)[0]
        if self.PIPE[0] in ready:
            os.read(self.PIPE[0], 4096)
        return ready

    def is_parent_alive(self) -> bool:
        """Whether the master is still there."""
        if self.ppid == os.getppid():
            return True
        self.log.info("Parent changed, shutting down: %s", self)
        return False

    def _accept(self, listener: Any) -> bool:
        try:
            self.accept(listener)
        except (BlockingIOError, ConnectionAbortedError):
            return False
        return True

    def accept(self, listener: Any) -> None:
        """Takes a connection and serves it.

        Raises:
            BlockingIOError: nobody is there.
            OSError: there are no descriptors left.
        """
        client, addr = listener.accept()
        client.setblocking(True)
        util.close_on_exec(client.fileno())
        self.at_work(self.handle, listener, client, addr)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves one connection: one request.

        Args:
            listener: where it came in.
            client: its socket.
            addr: the peer's address: a tuple, or something empty for a unix socket.
        """
        from rgunicorn import sock
        from rgunicorn.http import get_parser
        from rgunicorn.workers import exchange

        req = None
        clean = True
        try:
            client.settimeout(self.cfg.client_header_timeout or None)
            if self.cfg.is_ssl:
                client = sock.ssl_wrap_socket(client, self.cfg)
            req = next(get_parser(self.cfg, client, addr), None)
            if req is not None:
                client.settimeout(exchange.patience(self.cfg))
                clean = False
                self.handle_request(listener, req, client, addr)
                clean = req.body_reader.done
        except (exchange.Taken, StopIteration):
            pass
        except (Exception, SystemExit) as exc:
            exchange.report_failure(self, req, client, addr, exc)
        finally:
            exchange.part(client, clean)

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        """Serves one request; arguments as in `handle`.

        Raises:
            exchange.Taken: the application speaks with the client itself.
            exchange.Gone: the client has gone.
        Exception: what happened before anything was sent.
        """
        from rgunicorn.workers import exchange

        exchange.run_request(
            self,
            req,
            client,
            addr,
            listener.getsockname(),
            multithread=False,
            keepalive=False,
        )


SyncWorker.ORIGINALS = {name: getattr(SyncWorker, name) for name in SyncWorker.PER_REQUEST}
