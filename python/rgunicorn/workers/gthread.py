"""The gthread worker: `threads` application calls at a time, in Python threads.

The loop is the core's, as in the sync worker: it reads and writes any number of slow clients, and
the application only ever sees complete requests. The main thread runs signal handlers and hooks
and never the application.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from rgunicorn import _core, util
from rgunicorn.workers.native import NativeWorker
from rgunicorn.workers.threads import PythonThreads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger


class TConn:
    """A connection, for code that deals with them itself; the native loop has its own.

    Args:
        cfg: the configuration.
        sock: the client's socket; made non-blocking.
        client: the peer's address.
        server: the address it connected to.
    """

    def __init__(self, cfg: Config, sock: Any, client: Any, server: Any) -> None:
        self.cfg = cfg
        self.sock = sock
        self.client = client
        self.server = server
        # Monotonic seconds.
        self.timeout: float | None = None
        # From `init` on.
        self.parser: Any = None
        self.sock.setblocking(False)

    def init(self) -> None:
        """Prepares for requests: TLS, parser. In the thread that reads them; once."""
        if self.parser is not None:
            return
        from rgunicorn.http import get_parser
        from rgunicorn.sock import ssl_wrap_socket

        if self.cfg.is_ssl:
            self.sock = ssl_wrap_socket(self.sock, self.cfg)
        self.parser = get_parser(self.cfg, self.sock, self.client)

    def is_readable(self) -> bool:
        """Whether bytes of the next request have been received already."""
        has_more = self.parser is not None and self.parser.unreader.has_data
        return has_more or bool(getattr(self.sock, "pending", int)())

    def set_timeout(self) -> None:
        """Puts the end of its idle time `keepalive` seconds ahead."""
        self.timeout = time.monotonic() + self.cfg.keepalive

    def close(self, graceful: bool = False) -> None:
        """Closes the socket.

        Args:
            graceful: end our side first, so that the peer sees an end and no reset.
        """
        if graceful:
            # Broken already: there is nobody left to tell.
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        util.close(self.sock)


class ThreadWorker(PythonThreads, NativeWorker):
    """Serves `threads` requests at a time, on kept-alive connections if `keepalive` is not 0."""

    KIND = "gthread"
    PER_REQUEST = (
        "accept",
        "enqueue_req",
        "finish_request",
        "get_thread_pool",
        "handle",
        "handle_error",
        "handle_request",
        "is_parent_alive",
        "murder_keepalived",
        "murder_pending",
        "on_client_socket_readable",
        "on_pending_socket_readable",
        "set_accept_enabled",
        "wait_for_and_dispatch_events",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worker_connections = self.cfg.worker_connections
        self.max_keepalived = self.cfg.worker_connections - self.cfg.threads
        self._failure: BaseException | None = None

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Warns about a configuration that leaves no room for kept-alive connections."""
        if cfg.keepalive and cfg.worker_connections <= cfg.threads:
            log.warning(
                "No keepalived connections can be handled. "
                "Check the number of worker connections and threads."
            )

    @classmethod
    def capacity(cls, cfg: Config) -> int:
        return cfg.threads

    def init_process(self) -> None:
        if self.cfg.threads < 1:
            # The words are those of the thread pool that Gunicorn makes here.
            raise ValueError("max_workers must be greater than 0")
        super().init_process()

    def run(self) -> None:
        """Serves until the worker is told to stop.

        Threads that still run the application then are left to end: the process waits for them,
        and the master for the process.

        Raises:
            OSError: there are no descriptors left for the event queue.
            RuntimeError: a thread can not be started.
            BaseException: whatever a signal handler raises, such as SystemExit; what ended a
                thread.
        """
        self.refuse_async_app()
        self.settle_upload_dir()
        if self.is_python_needed():
            self.run_in_python()
            return
        # What the threads would import is imported before there are threads: an import that the
        # SystemExit of a signal breaks off leaves a lock behind, for which they would wait.
        find_out = getattr(self.log, "native_access_fd", None)
        if find_out is not None:
            find_out()
        crew = _core.Crew(self)
        try:
            for number in range(1, self.cfg.threads + 1):
                name = f"gthread-{number}"
                threading.Thread(target=self._work, args=(crew,), name=name).start()
            crew.watch()
        finally:
            crew.leave()
        if self._failure is not None:
            raise self._failure

    def _work(self, crew: _core.Crew) -> None:
        try:
            crew.work()
        except BaseException as exc:
            # No request's error: those are answered. Without this thread the worker would serve
            # with one less, unnoticed, so it leaves as a whole; the main thread says why.
            self._failure = exc
            crew.leave()


ThreadWorker.ORIGINALS = {name: getattr(ThreadWorker, name) for name in ThreadWorker.PER_REQUEST}
