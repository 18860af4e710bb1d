"""`Supervisor`: what the master does to its workers.

The fleet (`src/fleet`) decides who is forked and who is told to leave; the methods here do it. They
have Gunicorn's names, and each is called through `self`, so subclasses can change what happens.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback

from rgunicorn import (
    _process,
    birth,
    bulletin,
    departure,
    forensics,
    lifesigns,
    overdue,
    reports,
    scarcity,
    sock,
    systemd,
    upgrade,
    util,
)
from rgunicorn._core import Fleet, Inbox, fork, reap
from rgunicorn.errors import AppImportError, ConfigError, HaltServer
from rgunicorn.oom import OomCounter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn

    from rgunicorn._core import Action
    from rgunicorn.app.base import BaseApplication
    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger
    from rgunicorn.statuskeeper import Keeper
    from rgunicorn.workers.base import Worker


class Supervisor:
    """The part of the master that forks, watches, signals and reaps workers."""

    # Exit codes with which a worker says that replacing it is of no use.
    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    # Seconds that a worker may take to load the application when `timeout` is shorter; Gunicorn
    # gives it any time. With `timeout` 0 there is no limit.
    BOOT_TIMEOUT: float = 600.0

    # Wishes of workers (`Slot.wish`) that do not wait for a successor.
    URGENT_WISHES = frozenset({"max_rss_hard", "request_timeout"})

    WORKERS: ClassVar[dict[int, Worker]] = {}

    # What wakes the master without being a signal.
    WAKEUP_REQUEST = signal.NSIG

    app: BaseApplication
    cfg: Config
    log: Logger
    worker_class: type[Worker]
    proc_name: str
    timeout: float
    _status: Keeper

    def __init__(self) -> None:
        self.SIG_QUEUE = Inbox()
        self.LISTENERS: list[Any] = []
        # Listeners that only the old workers of a pending reload have.
        self._superseded: list[Any] = []
        self.pid = 0
        self.worker_age = 0
        self.reexec_pid = 0
        self._unit = systemd.Unit()
        self._departure = departure.Departure()
        self._upgrade = upgrade.Upgrade()
        self._fleet = Fleet()
        self._oom = OomCounter()
        self._last_worker_count: int | None = None
        self._stats: dict[str, Any] = {
            "start_time": None,
            "workers_spawned": 0,
            "workers_killed": 0,
            "reloads": 0,
            # How many of them failed, and why the last one did if none has succeeded since.
            "reload_failures": 0,
            "reload_failure": None,
        }

    def wakeup(self) -> None:
        """Ends the wait of the main loop, from any thread."""
        self.SIG_QUEUE.put_nowait(self.WAKEUP_REQUEST)

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Waits for signals, at most `timeout` seconds or until a worker's deadline.

        Each turn of a living loop comes here, so here the service manager gets its signs of life.

        Returns:
            The signal numbers in the order they came; empty when the time is over.
        """
        self._status.look(self)
        deadline = self._fleet.sleep(time.monotonic_ns())
        timeout = min(timeout, deadline, self._unit.live(self.log), self._departure.left)
        signals = self.SIG_QUEUE.wait(timeout)
        overdue.look(self)
        return [sig for sig in signals if sig != self.WAKEUP_REQUEST]

    def manage_workers(self) -> None:
        """Forks missing workers and tells superfluous ones to leave."""
        self._note_signs()
        self._perform(self._fleet.balance(time.monotonic_ns()))

        count = self._fleet.serving()
        if count != self._last_worker_count:
            self._last_worker_count = count
            reports.tell_count(self.log, count)
        if self.cfg.enable_backlog_metric:
            reports.tell_backlog(self.log, self.LISTENERS)
        bulletin.post(self)

    def spawn_workers(self) -> None:
        """Forks the workers that are missing."""
        self.manage_workers()

    def spawn_worker(self) -> int:
        """Forks one worker.

        Returns:
            Its pid. In the worker itself this does not return but raises SystemExit, so that what
            encloses the main loop and `atexit` run there as in any process.
        """
        self.worker_age, slot = self._fleet.next_child()
        worker = birth.make(self, self.worker_age, slot)
        # A master of one's own that manages workers in its own way does not know of wishes.
        worker._is_heard = type(self).manage_workers is Supervisor.manage_workers
        self.cfg.pre_fork(self, worker)

        pid = fork(self.SIG_QUEUE, self._reopen_on_usr1)
        if not pid:
            self._live(worker)
        birth.register(self, worker, pid)
        self._fleet.on_spawned(pid, self.worker_age, slot, time.monotonic_ns())
        self._stats["workers_spawned"] += 1
        return pid

    def kill_workers(self, sig: int) -> None:
        """Sends `sig` to every worker."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def kill_worker(self, pid: int, sig: int) -> None:
        """Sends `sig` to the worker `pid`, or forgets the worker if it does not exist any more."""
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            worker = self.WORKERS.pop(pid, None)
            if worker is not None:
                worker.tmp.close()
                self._bury(worker, None, None)
                self.cfg.worker_exit(self, worker)
            self._perform(self._fleet.on_vanished(pid, time.monotonic_ns()))
            return
        if sig in (signal.SIGTERM, signal.SIGQUIT) and pid in self.WORKERS:
            self.WORKERS[pid].dismissed = True
        if sig in (signal.SIGTERM, signal.SIGKILL):
            self._stats["workers_killed"] += 1

    def murder_workers(self) -> None:
        """Deals with workers whose heartbeat has stopped or whose time to leave is over."""
        beats = lifesigns.heartbeats(self.WORKERS)
        self._perform(self._fleet.on_tick(time.monotonic_ns(), beats))

    def reap_workers(self) -> None:
        """Takes note of all children that have ended.

        Raises:
            HaltServer: a worker could not boot or load the app.
        """
        # What the dead have said last counts: one that was ready did not fail to boot.
        self._note_signs()
        while (ended := reap()) is not None:
            pid, code, sig = ended
            if pid == self.reexec_pid:
                self.reexec_pid = 0
                self._upgrade.on_ended(self, code, sig)
                continue
            if self._status.on_ended(self, pid, code, sig):
                continue
            worker = self.WORKERS.pop(pid, None)
            if worker is not None:
                worker.tmp.close()
                self._bury(worker, code, sig)
            if worker is not None and worker.lost and sig == signal.SIGKILL:
                # That was us, and has been said.
                code, sig = 0, None
            self._perform(self._fleet.on_exited(pid, code, sig, time.monotonic_ns()), worker)

    def _stop_workers(self, graceful: bool) -> None:
        self._perform(self._fleet.on_stop(graceful, time.monotonic_ns()))
        while not self._fleet.is_settled(time.monotonic_ns()):
            for sig in self.wait_for_signals():
                if self._departure.quickens(self, sig):
                    self._perform(self._fleet.on_stop(False, time.monotonic_ns()))
            try:
                self.reap_workers()
            except Exception:
                # A hook that raises must not keep the other workers from being stopped.
                self.log.exception("Exception while stopping workers")
            self._perform(self._fleet.on_tick(time.monotonic_ns(), []))
        # What the last ones have said.
        overdue.say_all(self.log, self.WORKERS)

    def _bury(self, worker: Worker, code: int | None, sig: int | None) -> None:
        """Writes down what a worker leaves behind that has ended."""
        if sig == signal.SIGKILL and not worker.killed:
            worker.oom_kills = self._oom.take()
        bulletin.note_end(self, worker, code, sig)
        forensics.bury(self.log, worker, code, sig)

    def _perform(self, actions: list[Action], ended: Worker | None = None) -> None:
        doomed = forensics.doomed(actions, self.WORKERS)
        forensics.ask(doomed)
        for action in actions:
            match action:
                case ("spawn",):
                    if not self._spawn():
                        return
                case ("kill", pid, sig):
                    if sig == signal.SIGKILL and pid in self.WORKERS:
                        forensics.before_kill(self.log, self.WORKERS[pid])
                    self.kill_worker(pid, sig)
                case ("timeout", pid):
                    self.log.critical("WORKER TIMEOUT (pid:%s)", pid)
                    self.WORKERS[pid].aborted = True
                    why = f"no heartbeat for {self.timeout} s"
                    forensics.examine(self.log, self.WORKERS[pid], why)
                case ("hang", pid):
                    self._report_hang(pid)
                case ("child_exit", _):
                    self.cfg.child_exit(self, ended)
                case ("reloaded",):
                    self._on_reloaded()
                case ("reload_failed", pid, stay):
                    self._on_reload_failed(reports.of_failed_reload(pid, stay))
                case ("halt", reason, status):
                    raise HaltServer(reason, status)
                case _:
                    reports.say(self.log, action, ended, self._oom)

    def _spawn(self) -> bool:
        """Forks one worker. False: it could not be done, and who is replaced has to wait."""
        try:
            self.spawn_worker()
            return True
        except Exception as exc:
            # A hook of the new configuration that raises, or no room for one more process.
            bulletin.note_spawn_failure()
            actions = self._fleet.on_spawn_failed(scarcity.is_cause(exc), time.monotonic_ns())
            if not actions:
                raise
            self.log.error("Exception while forking a new worker", exc_info=exc)
            self._perform(actions)
            return False

    def _note_signs(self) -> None:
        """Tells the fleet what the workers say of themselves."""
        found = lifesigns.read(self.log, self.WORKERS, self.URGENT_WISHES)
        self._fleet.on_signs(found, time.monotonic_ns())

    def _on_reloaded(self) -> None:
        """The new generation serves, the old one is about to leave."""

    def _on_reload_failed(self, why: str) -> None:
        """The old generation stays; `why` is for the log."""

    def _report_hang(self, pid: int) -> None:
        worker = self.WORKERS[pid]
        worker.aborted = True
        reports.tell_hang(self.log, worker)
        forensics.examine(self.log, worker, "it has not finished booting")

    def _reopen_on_usr1(self) -> None:
        # Between the fork and the worker's own handlers a log rotation must neither kill the
        # worker, which is SIGUSR1's default, nor be missed.
        signal.signal(signal.SIGUSR1, lambda sig, frame: self.log.reopen_files())

    def _live(self, worker: Worker) -> NoReturn:
        """The whole life of a worker, in its process."""
        worker.pid = os.getpid()
        for sibling in self.WORKERS.values():
            sibling.tmp.close()
            if sibling.blackbox is not None:
                sibling.blackbox.close()
        if worker.blackbox is not None:
            worker.blackbox.settle()
        for listener in self._superseded:
            listener.close()
        self._upgrade.in_worker()
        self._status.in_worker()
        slot = getattr(worker.tmp, "slot", None)
        if slot is not None:
            slot.pid = worker.pid
        _process.take_slot(worker.slot)
        try:
            util._setproctitle(f"worker [{self.proc_name}]")
            self.log.info("Booting worker with pid: %s", worker.pid)
            if self.cfg.reuse_port:
                worker.sockets = sock.create_sockets(self.cfg, self.log)
            self.cfg.post_fork(self, worker)
            worker.init_process()
            sys.exit(0)
        except SystemExit:
            raise
        except AppImportError as exc:
            self.log.debug("Exception while loading the application", exc_info=True)
            print(exc, file=sys.stderr, flush=True)
            sys.exit(self._code(exc, self.APP_LOAD_ERROR))
        except ConfigError as exc:
            self.log.error("Worker can not boot: %s", exc)
            sys.exit(-1 if worker.booted else self._code(exc, self.WORKER_BOOT_ERROR))
        except HaltServer as exc:
            # Raised in a worker it must not reach the copy of the main loop above us.
            self.log.error("Worker asks for a halt: %s", exc.reason)
            sys.exit(exc.exit_status)
        except BaseException as exc:
            self.log.exception("Exception in worker process")
            print(exc, file=sys.stderr, flush=True)
            sys.exit(-1 if worker.booted else self._code(exc, self.WORKER_BOOT_ERROR))
        finally:
            self.log.info("Worker exiting (pid: %s)", worker.pid)
            _process.end_within(max(self.cfg.graceful_timeout, self.cfg.timeout))
            try:
                worker.tmp.close()
                self.cfg.worker_exit(self, worker)
            except Exception:
                self.log.warning("Exception during worker exit:\n%s", traceback.format_exc())
            _process.is_leaving()

    def _code(self, exc: BaseException, failed: int) -> int:
        """The exit code of a worker that can not boot: `failed`, which ends a server if nobody
        serves, but a crash's, once it has booted, if the machine lacks something at the moment."""
        return -1 if self._fleet.is_established() and scarcity.is_cause(exc) else failed
