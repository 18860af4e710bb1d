"""The gthread worker's loop in Python, for subclasses that override a part of it.

Connections wait for their first byte, and between requests, in the main thread's selector; a pool
of threads reads requests and runs the application.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import deque

from rgunicorn import _core, util
from rgunicorn.workers.parting import PARTING, has_heirs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from concurrent.futures import Executor, Future
    from typing import Any

    from rgunicorn.workers.native import NativeWorker as _Base
else:
    _Base = object

# Seconds between two looks at the time.
TICK = 1.0


class PythonThreads(_Base):
    """What `ThreadWorker` needs to serve without the core's loop.

    Attributes: tpool, poller, nr_conns (connections at hand), keepalived_conns and pending_conns
    (those that wait for another request, and for their first byte).
    """

    worker_connections: int
    max_keepalived: int
    tpool: Executor
    poller: selectors.BaseSelector
    nr_conns: int
    keepalived_conns: deque[Any]
    pending_conns: deque[Any]

    def run_in_python(self) -> None:
        """Serves until the worker is told to stop, then until its requests are done, for
        `graceful_timeout` seconds at most."""
        import selectors

        from rgunicorn.workers import counting

        self.put_files_first()
        self.timekeeper = _core.Timekeeper.of(self)
        counting.opens(self, "app", "running", "exception", "refused", room=self.cfg.threads)
        self.nr_conns = 0
        self.keepalived_conns = deque()
        self.pending_conns = deque()
        self._finished: deque[tuple[Any, Future[Any]]] = deque()
        self._accepting = False
        self.tpool = self.get_thread_pool()
        self.poller = selectors.DefaultSelector()
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._woken)
        for listener in self.sockets:
            listener.setblocking(False)
        while self.alive and self.is_parent_alive():
            self.notify()
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self.wait_for_and_dispatch_events(TICK)
            self.murder_pending()
            self.murder_keepalived()
        self._leave()

    def _leave(self) -> None:
        self.set_accept_enabled(False)
        start = time.monotonic()
        waiting = [] if has_heirs(self) else list(self.sockets)
        while (self.nr_conns or waiting) and time.monotonic() - start < self.cfg.graceful_timeout:
            self.notify()
            waiting = [listener for listener in waiting if self._let_in(listener)]
            self.wait_for_and_dispatch_events(0.1)
            if time.monotonic() - start >= min(PARTING, self.cfg.keepalive):
                for conn in [*self.keepalived_conns, *self.pending_conns]:
                    self._forget(conn)
                    self._close(conn)
        for listener in self.sockets:
            listener.close()
        # The process waits for its threads, and the master for the process.
        self.tpool.shutdown(wait=False)
        self.poller.close()

    def _let_in(self, listener: Any) -> bool:
        """On the way out: takes who waits, as far as there is room; whether others may wait."""
        while self.nr_conns < self.worker_connections:
            try:
                self.accept(listener)
            except (BlockingIOError, ConnectionAbortedError):
                return False
        return True

    def get_thread_pool(self) -> Executor:
        """The executor that runs `handle`. Called once, when the worker starts to serve."""
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(max_workers=self.cfg.threads)

    def is_parent_alive(self) -> bool:
        """Whether the master is still there."""
        if self.ppid == os.getppid():
            return True
        self.log.info("Parent changed, shutting down: %s", self)
        return False

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begins or stops to take connections."""
        if enabled == self._accepting:
            return
        import selectors

        for listener in self.sockets:
            if enabled:
                self.poller.register(
                    listener.fileno(), selectors.EVENT_READ, self._acceptor(listener)
                )
            else:
                self.poller.unregister(listener.fileno())
        self._accepting = enabled

    def _acceptor(self, listener: Any) -> Any:
        def accept(_fd: Any) -> None:
            # Another worker was faster, or the client has gone.
            with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                self.accept(listener)

        return accept

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Waits for bytes, connections, finished requests and signals, and deals with them."""
        for key, _ in self.poller.select(timeout):
            key.data(key.fileobj)

    def _woken(self, pipe: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(pipe, 4096)
        while self._finished:
            self.finish_request(*self._finished.popleft())

    def accept(self, listener: Any) -> None:
        """Takes a connection.

        Raises:
            BlockingIOError: nobody is there.
        """
        from rgunicorn.workers.gthread import TConn

        sock, client = listener.accept()
        conn = TConn(self.cfg, sock, client, listener.getsockname())
        self.nr_conns += 1
        limit = self.cfg.client_header_timeout
        conn.timeout = time.monotonic() + limit if limit else None
        self._await(conn, self.pending_conns, self.on_pending_socket_readable)

    def _await(self, conn: Any, queue: deque[Any], then: Any) -> None:
        import selectors

        queue.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, functools.partial(then, conn))

    def _forget(self, conn: Any) -> None:
        for queue in (self.pending_conns, self.keepalived_conns):
            if conn in queue:
                queue.remove(conn)
                self.poller.unregister(conn.sock)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """The first bytes of a connection are there."""
        self._forget(conn)
        self.enqueue_req(conn)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """A kept connection has something to say."""
        self._forget(conn)
        self.enqueue_req(conn)

    def enqueue_req(self, conn: Any) -> None:
        """Gives a connection to the pool."""
        future = self.tpool.submit(self.at_work, self.handle, conn)
        future.add_done_callback(functools.partial(self._done, conn))

    def _done(self, conn: Any, future: Future[Any]) -> None:
        # In the pool's thread.
        self._finished.append((conn, future))
        # A full pipe wakes just as well.
        with contextlib.suppress(BlockingIOError):
            os.write(self.PIPE[1], b"1")

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keeps the connection of a finished request, or closes it.

        Args:
            conn: the connection.
            fs: what `handle` came to: whether the connection can take another request.
        """
        keeps = False
        if not fs.cancelled():
            if (failure := fs.exception()) is not None:
                self.log.error("Error handling a connection", exc_info=failure)
            else:
                result = fs.result()
                # Gunicorn's own was a pair once.
                keeps = bool(result[0] if isinstance(result, tuple) else result)
        if not keeps:
            self._close(conn)
        elif conn.is_readable():
            self.enqueue_req(conn)
        else:
            conn.sock.setblocking(False)
            conn.set_timeout()
            self._await(conn, self.keepalived_conns, self.on_client_socket_readable)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        util.close(conn.sock)

    def murder_pending(self) -> None:
        """Closes connections that have said nothing for `client_header_timeout` seconds."""
        self._murder(self.pending_conns)

    def murder_keepalived(self) -> None:
        """Closes connections that have been idle for `keepalive` seconds."""
        self._murder(self.keepalived_conns)

    def _murder(self, queue: deque[Any]) -> None:
        now = time.monotonic()
        for conn in [conn for conn in queue if conn.timeout is not None and conn.timeout <= now]:
            self._forget(conn)
            self._close(conn)

    def handle(self, conn: Any) -> bool:
        """Serves one request of a connection, in a thread of the pool.

        Returns:
            Whether the connection can take another request.
        """
        from rgunicorn.workers import exchange

        req = None
        clean = True
        try:
            conn.sock.settimeout(self.cfg.client_header_timeout or None)
            conn.init()
            req = next(conn.parser, None)
            if req is not None:
                conn.sock.settimeout(exchange.patience(self.cfg))
                clean = False
                if self.handle_request(req, conn):
                    return True
                clean = req.body_reader.done
        except (exchange.Taken, StopIteration):
            pass
        except (Exception, SystemExit) as exc:
            exchange.report_failure(self, req, conn.sock, conn.client, exc)
        exchange.part(conn.sock, clean)
        return False

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Serves one request.

        Returns:
            Whether the connection can take another one.

        Raises:
            exchange.Taken: the application speaks with the client itself.
            exchange.Gone: the client has gone.
        Exception: what happened before anything was sent.
        """
        from rgunicorn.workers import exchange

        room = len(self.keepalived_conns) < self.max_keepalived
        return exchange.run_request(
            self,
            req,
            conn.sock,
            conn.client,
            conn.server,
            multithread=True,
            keepalive=bool(self.cfg.keepalive) and room,
        )
