"""`Arbiter`: the master process, the `server` that hooks are given.

Rust decides, Python performs: policy is in `src/fleet`, everything that users can see or change
is a method here (boot, reload, stop), in `signals.Handlers` or in `Supervisor` (workers).
"""

from __future__ import annotations

import os
import sys
import time

import rgunicorn
from rgunicorn import (
    __version__,
    _process,
    autoscale,
    handover,
    preload,
    reload,
    signals,
    sock,
    statuskeeper,
    touch,
    util,
)
from rgunicorn.errors import HaltServer
from rgunicorn.pidfile import Pidfile
from rgunicorn.supervisor import Supervisor
from rgunicorn.workers import handoff, timekeeping, workertmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.app.base import BaseApplication
    from rgunicorn.glogging import Logger


class Arbiter(signals.Handlers, autoscale.Headcount, Supervisor):
    """Keeps the workers of one application alive and does what signals tell it.

    Args:
        app: the application object with its configuration.
    """

    # Overridden per instance: how this process was started, for a re-execution.
    START_CTX: dict[Any, Any] = {}

    LISTENERS: list[Any] = []

    log: Any

    def __init__(self, app: BaseApplication) -> None:
        super().__init__()
        _process.obey_term()
        os.environ["SERVER_SOFTWARE"] = str(rgunicorn.SERVER_SOFTWARE)
        self.log: Logger | None = None
        # The configuration to go back to while a reload is on its way; whether one follows it.
        self._pending: reload.Pending | None = None
        self._again = False
        self._autoscale = autoscale.Autoscale()
        self._touch = touch.Touch()
        self._preload = preload.Preload()
        self._status = statuskeeper.Keeper()
        self.pidfile: Pidfile | None = None
        self.systemd = False
        # The master that executed us, while it lives.
        self.master_pid = 0
        self.master_name = "Master"
        # The dirty arbiter is not built; hooks look at these names.
        self.dirty_arbiter_pid = 0
        self.dirty_arbiter = None
        self.dirty_pidfile = None

        self._upgrade.connect()
        self.setup(app)
        # Its default was taken before any change of directory.
        self.START_CTX = handover.start_context(app.cfg.settings["chdir"].default)

    def setup(self, app: BaseApplication) -> None:
        """Takes over the configuration of `app`.

        Raises:
            RuntimeError: a class can not be loaded, an address or `raw_env` is malformed,
                `worker_tmp_dir` can not be used.
        """
        env, address = app.cfg.env, app.cfg.address
        late = workertmp.prepare(app.cfg)
        handoff.prepare()
        if timekeeping.is_on(app.cfg):
            timekeeping.prepare(self.SIG_QUEUE)
        self.app = app
        self.cfg = app.cfg
        reload.set_up_log(self)
        if late:
            self.log.warning(late)
        if "GUNICORN_PID" in os.environ:
            self.log.reopen_files()

        self.worker_class = self.cfg.worker_class
        self.address = address
        self.timeout = self.cfg.timeout
        boot_timeout = max(self.timeout, self.BOOT_TIMEOUT) if self.timeout else 0
        self._fleet.set_limits(self.timeout, self.cfg.graceful_timeout, boot_timeout)
        self.num_workers = self._autoscale.begin(self, self._num_workers)
        self.proc_name = self.cfg.proc_name + (".2" if self.master_pid else "")
        self.log.debug(
            "Current configuration:\n%s",
            "\n".join(f"  {name}: {setting.value}" for name, setting in self.cfg.settings.items()),
        )
        os.environ.update(env)
        self._touch.learn(self.cfg, self.log)
        if self.cfg.preload_app:
            self.app.wsgi()

    def start(self) -> None:
        """Boots the master: pidfile, signal handlers, listeners.

        Raises:
            RuntimeError: the pidfile can not be had.
            SystemExit: an address can not be bound.
        """
        self.log.info("Starting rgunicorn %s", __version__)
        self._stats["start_time"] = time.time()
        if "GUNICORN_PID" in os.environ:
            self.master_pid = int(os.environ["GUNICORN_PID"])
            self.proc_name += ".2"
            self.master_name = "Master.2"
            self._unit.silent = True
        self.pid = os.getpid()
        name = self._pidfile_name()
        if name is not None:
            self.pidfile = Pidfile(name)
            self.pidfile.create(self.pid)
        try:
            self.cfg.on_starting(self)
            self.init_signals()
            # After on_starting, which may write the files.
            self.prepare_tls()
            self._status.open(self)
            if not self.LISTENERS:
                self.LISTENERS = handover.open_listeners(self)
            self.log.debug("Arbiter booted")
            self.log.info("Listening at: %s (%s)", self._listeners_text(), self.pid)
            self.log.info("Using worker: %s", self.cfg.worker_class_str)
            autoscale.describe(self)
            if hasattr(self.worker_class, "check_config"):
                self.worker_class.check_config(self.cfg, self.log)
            self.cfg.when_ready(self)
            # Not later: clients can connect from here on, and an import that takes minutes must not
            # run into the start timeout of the unit.
            self._unit.ready(self.log, "Gunicorn arbiter booted")
        except BaseException:
            self._status.end(self)
            self._unlink_pidfile()
            raise

    def prepare_tls(self) -> None:
        """Reads the certificates, if there are any to read.

        Raises:
            ConfigError: they can not be used.
        """
        if not self.cfg.is_ssl:
            return
        # Where it is not used, `ssl` is not worth its memory.
        from rgunicorn import tls
        from rgunicorn.workers.native import NativeWorker

        tls.check_files(self.cfg)
        if issubclass(self.worker_class, NativeWorker):
            tls.warn(self.cfg, self.log, tls.server_context(self.cfg))
        elif not tls.has_hook(self.cfg):
            # Theirs are made in the worker, where gevent has patched `ssl` and a hook is called as
            # in Gunicorn; but a mistake is found here, before anybody leaves for it.
            tls.warn(self.cfg, self.log, tls.make_context(self.cfg))

    def run(self) -> None:
        """The life of the master; ends with SystemExit, here and in each forked worker."""
        self.start()
        util._setproctitle(f"master [{self.proc_name}]")
        try:
            self._preload.prepare(self)
            self.manage_workers()
            while True:
                self.maybe_promote_master()
                self._handle_signals(self.wait_for_signals(timeout=self._upgrade.pace))
                self.murder_workers()
                self._autoscale.look(self)
                self.manage_workers()
                self._upgrade.look(self)
                reload.look(self)
                self._departure.look()
        except BaseException as exc:
            # A worker came out of `spawn_worker`: the rest is the master's business.
            if os.getpid() != self.pid:
                raise
            end = exc
        # Not inside `except`, or every later traceback would begin with this exception.
        self._end(end)

    def maybe_promote_master(self) -> None:
        """Takes the place of the master that executed us, once it is gone."""
        if self.master_pid in (0, os.getppid()):
            return
        handover.promote(self)

    def reexec(self) -> None:
        """Starts the original command again, with our listeners; both masters serve then."""
        if self.reexec_pid:
            self.log.warning("USR2 signal ignored. Child exists.")
        elif self.master_pid:
            self.log.warning("USR2 signal ignored. Parent exists.")
        else:
            handover.reexec(self)

    def reload(self) -> None:
        """Loads the configuration again and replaces all workers, once the new ones are ready.

        A configuration that can not be loaded or bound, or workers that can not boot, are
        reported, and the old configuration stays in force with its workers. While a reload is
        under way, another one is only noted.
        """
        if reload.follows(self):
            return
        self._stats["reloads"] += 1
        if reload.begin(self):
            autoscale.describe(self)
            self._preload.prepare(self)
            self._note_signs()
            strategy = self.cfg.reload_strategy
            self._perform(self._fleet.on_reload(strategy, time.monotonic_ns()))
            self.manage_workers()

    def stop(self, graceful: bool = True) -> None:
        """Closes the listeners and ends all workers; returns when they are gone.

        Args:
            graceful: let them finish their requests, for up to `graceful_timeout` seconds.
        """
        self._upgrade.stop()
        self._departure.stop(self, graceful)
        self._unit.leaving(self.log, self.reexec_pid)
        sock.close_sockets([*self.LISTENERS, *self._superseded], self._owns_listeners())
        self.LISTENERS, self._superseded = [], []
        self._stop_workers(graceful)
        self._status.end(self)

    def halt(self, reason: object = None, exit_status: int = 0) -> None:
        """Ends the server: stops everything, says why, removes the pidfile, exits."""
        self.stop()
        say = self.log.error if exit_status else self.log.info
        say("Shutting down: %s", self.master_name)
        if reason is not None:
            say("Reason: %s", reason)
        reload.report(self)
        self._unlink_pidfile()
        self.cfg.on_exit(self)
        sys.exit(exit_status)

    def _end(self, exc: BaseException) -> None:
        """What the exception that left the main loop means."""
        if isinstance(exc, (StopIteration, KeyboardInterrupt)):
            self.halt()
        elif isinstance(exc, HaltServer):
            self.halt(reason=exc.reason, exit_status=exc.exit_status)
        elif not isinstance(exc, Exception):
            raise exc
        else:
            self.log.error("Unhandled exception in main loop", exc_info=exc)
            self.stop(False)
            self._unlink_pidfile()
            sys.exit(-1)

    def _on_reloaded(self) -> None:
        reload.commit(self)

    def _on_reload_failed(self, why: str) -> None:
        reload.roll_back(self, why)

    def _listeners_text(self) -> str:
        return ",".join(map(str, self.LISTENERS))

    def _owns_listeners(self) -> bool:
        """Whether nobody else serves on our unix sockets when we close them."""
        shared = self.reexec_pid or self.master_pid or self.systemd or self.cfg.reuse_port
        return not shared

    def _pidfile_name(self) -> str | None:
        name = self.cfg.pidfile
        return f"{name}.2" if name is not None and self.master_pid else name

    def _unlink_pidfile(self) -> None:
        if self.pidfile is not None:
            self.pidfile.unlink()
