"""`Worker`: what every worker class inherits, here and in other packages.

The names and the order in which they are called are Gunicorn's: uvicorn, aiohttp and others
subclass this class.
"""

from __future__ import annotations

import io
import math
import os
import random
import signal
import sys
import time
import traceback
from datetime import datetime

from rgunicorn import util
from rgunicorn.workers import offspring, recycling
from rgunicorn.workers.abilities import Abilities
from rgunicorn.workers.naming import called, named
from rgunicorn.workers.refusal import refusal
from rgunicorn.workers.workertmp import WorkerTmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any

    from rgunicorn.app.base import BaseApplication
    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger
    from rgunicorn.reloader import ReloaderBase
    from rgunicorn.workers.blackbox import BlackBox
    from rgunicorn.workers.heralds import Road


class Worker(Abilities):
    """A worker process; in the master, the handle of one.

    Made by the master before the fork, so the constructor must not touch the process; that is
    what `init_process` is for.

    Args:
        age: serial number of the fork.
        ppid: the master's pid.
        sockets: the listeners.
        app: the application object of the command line or the embedder.
        timeout: seconds within which `notify` has to be called: half of the setting `timeout`.
        cfg: the configuration.
        log: the logger.
    """

    # Reset before the worker's own handlers are installed.
    SIGNALS = [
        getattr(signal, f"SIG{name}")
        for name in ("ABRT", "HUP", "QUIT", "INT", "TERM", "USR1", "USR2", "WINCH", "CHLD")
    ]

    # Read and write end of the pipe that wakes the worker's loop, from `init_process` on.
    PIPE: Sequence[int] = []

    # Who looks at how long requests take; set by worker classes with a loop of their own.
    timekeeper: Any = None

    # Number among the living workers, from 0; reused. The arbiter sets it.
    slot: int | None = None

    # Whether the master replaces workers that ask for it.
    _is_heard = False

    # In the master: monotonic seconds of the fork, and of the time to be replaced.
    _forked = 0.0
    # In the master: it has said on the scoreboard how long booting took.
    _boot_noted = False
    _grows_old = math.inf
    # What is left of the worker when it has died. The arbiter makes it before the fork.
    blackbox: BlackBox | None = None
    # In the master: it has sent SIGKILL; what the kernel's count of OOM kills said afterwards.
    killed = False
    oom_kills: int | None = None

    def __init__(
        self,
        age: int,
        ppid: int,
        sockets: list[Any],
        app: BaseApplication,
        timeout: float,
        cfg: Config,
        log: Logger,
    ) -> None:
        self.age = age
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.pid: int | str = "[booting]"
        self.booted = False
        self.aborted = False
        self.alive = True
        # In the master: it was told to leave; it was ended, for nobody waits for what it does.
        self.dismissed = False
        self.lost = False
        self.reloader: ReloaderBase | None = None
        self.wsgi: Any
        # Requests so far, and how many are enough.
        self.nr = 0
        self.max_requests = sys.maxsize
        if cfg.max_requests > 0:
            self.max_requests = cfg.max_requests + random.randint(0, cfg.max_requests_jitter)
        self._had_enough = False
        self._recycling = recycling.Recycling(cfg)
        self.tmp = WorkerTmp(cfg)

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"

    @property
    def booted(self) -> bool:
        """Whether the application is loaded and the worker may serve; the master learns of it."""
        return self._booted

    @booted.setter
    def booted(self, value: bool) -> None:
        self._booted = value
        slot = getattr(getattr(self, "tmp", None), "slot", None)
        if slot is not None:
            slot.booted_ns = time.monotonic_ns() if value else None

    def notify(self) -> None:
        """Tells the master that this worker lives. Call it at least every `timeout` seconds."""
        self.tmp.notify()
        if self._recycling:
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        """Asks for a successor when `max_rss` or `max_rss_hard` is exceeded."""
        self._recycling.look(self)

    def _ask_for_successor(self, wish: str) -> bool:
        """Asks the master for a successor. False: it would not hear; the worker leaves itself."""
        return recycling.ask(self, wish)

    def run(self) -> None:
        """Serves until `alive` is False. Subclasses implement it."""
        raise NotImplementedError

    def init_process(self) -> None:
        """Turns the forked process into a worker and runs it; returns when its work is done.

        An override ends with a call of this method.
        """
        os.environ.update(self.cfg.env)
        util.set_owner_process(self.cfg.uid, self.cfg.gid, initgroups=self.cfg.initgroups)
        util.seed()

        self.PIPE = os.pipe()
        for fd in self.PIPE:
            util.set_non_blocking(fd)
        for listener in self.sockets:
            util.close_on_exec(listener.fileno())
        util.close_on_exec(self.tmp.fileno())
        self.wait_fds = [*self.sockets, self.PIPE[0]]
        self.log.close_on_exec()

        self.init_signals()
        if self.blackbox is not None:
            self.blackbox.arm()
            self.blackbox.keep(self.log)
        offspring.guard(self)

        if self.cfg.reload:
            self._make_reloader()
        self.load_wsgi()
        if self.reloader is not None:
            self.reloader.start()

        self.cfg.post_worker_init(self)
        self.booted = True
        self.run()
        # The native loops may have learnt from shared memory that the server stops, before SIGTERM
        # came: `worker_exit` finds what it finds on Gunicorn.
        self.alive = False

    def init_signals(self) -> None:
        """Installs the worker's signal handlers."""
        handlers = {
            signal.SIGQUIT: self.handle_quit,
            signal.SIGTERM: self.handle_exit,
            signal.SIGINT: self.handle_quit,
            signal.SIGWINCH: self.handle_winch,
            signal.SIGUSR1: self.handle_usr1,
            signal.SIGABRT: self.handle_abort,
        }
        # None of them is without a handler for a moment: by default SIGUSR1, which only asks for
        # the log files to be opened again, would kill.
        for sig in {*self.SIGNALS, *handlers}:
            signal.signal(sig, handlers.get(sig, signal.SIG_DFL))
        # A request in a system call of the app goes on undisturbed.
        signal.siginterrupt(signal.SIGTERM, False)
        signal.siginterrupt(signal.SIGUSR1, False)
        signal.set_wakeup_fd(self.PIPE[1])

    def load_wsgi(self) -> None:
        """Loads the application into `self.wsgi`.

        With `reload`, a syntax error becomes an application that shows it, until it is mended.

        Raises:
            AppImportError: it can not be found or is none.
        """
        try:
            self.wsgi = self.app.wsgi()
        except SyntaxError as exc:
            if not self.cfg.reload:
                raise
            self.log.exception(exc)
            if self.reloader is not None and exc.filename is not None:
                self.reloader.add_extra_file(exc.filename)
            with io.StringIO() as text:
                traceback.print_exception(type(exc), exc, exc.__traceback__, file=text)
                self.wsgi = util.make_fail_app(text.getvalue())

    def herald(self, sock: Any) -> Road:
        """What says a page of ours over TLS to the client of `sock`, while its request is stuck;
        False: nobody can."""
        return False

    def put_files_first(self) -> None:
        """Answers for `static_map` before the application is asked, in a loop in Python."""
        if self.cfg.static_map:
            from rgunicorn.workers import counting
            from rgunicorn.workers.static_files import StaticFiles

            slot = counting.slot_of(self)
            self.wsgi = StaticFiles(self.wsgi, self.cfg, self.log, slot)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """SIGUSR1: reopen the log files."""
        self.log.reopen_files()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: leave after the current request."""
        self.alive = False

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT, SIGINT: leave now."""
        self.alive = False
        self.cfg.worker_int(self)
        # As long as Gunicorn leaves other threads to see `alive`.
        time.sleep(0.1)
        sys.exit(0)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT: the master has not heard from us for `timeout` seconds."""
        self.alive = False
        self.cfg.worker_abort(self)
        sys.exit(1)

    def handle_winch(self, sig: int, frame: FrameType | None) -> None:
        """SIGWINCH: the terminal's business, not a worker's."""
        self.log.debug("worker: SIGWINCH ignored.")

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Logs a failed request and answers it.

        Args:
            req: the request, None when its head could not be read.
            client: the socket to answer on.
            addr: the peer's address; empty for unix sockets.
            exc: what went wrong.
        """
        start = datetime.now()
        addr = addr or ("", -1)
        answer = refusal(exc)
        if answer is not None:
            status, reason, page = answer
            # A header that was refused late has its request with it, for the access log.
            req = req or getattr(exc, "req", None)
            self.log.warning(f"Invalid request from ip={addr[0]}: {exc}")
        else:
            status, reason, page = 500, "Internal Server Error", ""
            if hasattr(req, "uri"):
                method = f"{req.method} " if hasattr(req, "method") else ""
                self.log.exception("Error handling request %s%s%s", method, req.uri, called(req))
            else:
                self.log.exception("Error handling request (no URI read)")

        if req is not None:
            self._log_refused(req, client, addr, f"{status} {reason}", len(page), start)
        try:
            util.write_error(client, status, reason, page, named(req, self.cfg))
        except OSError:
            self.log.debug("Failed to send error message.")

    def _log_refused(
        self, req: Any, client: Any, addr: Any, status: str, length: int, start: datetime
    ) -> None:
        from rgunicorn.http.wsgi import Response, default_environ

        environ = default_environ(req, client, self.cfg)
        environ["REMOTE_ADDR"] = addr[0]
        environ["REMOTE_PORT"] = str(addr[1])
        if hasattr(req, "add_params"):
            req.add_params(environ)
        resp = Response(req, client, self.cfg)
        resp.status = status
        resp.response_length = length
        # Since the application had it, if it came so far.
        start = getattr(req, "started", start)
        self.log.access(resp, req, environ, datetime.now() - start)

    def _make_reloader(self) -> None:
        from rgunicorn.reloader import reloader_engines

        def changed(path: str) -> None:
            self.log.info("Worker reloading: %s modified", path)
            self.alive = False
            try:
                self.cfg.worker_int(self)
            finally:
                # Last: the main thread may end the process as soon as it is woken.
                os.write(self.PIPE[1], b"1")
            sys.exit(0)  # this thread, which is the reloader's

        self.log.warning("Reloader is on. Use in development only!")
        self.reloader = reloader_engines[self.cfg.reload_engine](
            extra_files=self.cfg.reload_extra_files, callback=changed
        )
