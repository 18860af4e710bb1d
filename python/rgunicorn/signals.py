"""`Handlers`: what the master does at each signal.

Gunicorn's names: applications override `handle_hup`, `handle_term` and others in their own Arbiter.
TTIN and TTOU are in `autoscale`, with the number of workers.
"""

from __future__ import annotations

import signal

from rgunicorn import autoscale, upgrade
from rgunicorn.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import ClassVar


class Handlers(autoscale.Headcount, Supervisor):
    """The part of the master that receives signals and does what they tell it."""

    SIGNALS: ClassVar[list[signal.Signals]] = [
        getattr(signal, f"SIG{name}")
        for name in ("HUP", "QUIT", "INT", "TERM", "TTIN", "TTOU", "USR1", "USR2", "WINCH")
    ]
    # SIGCLD and other second names of a number come after its first.
    SIG_NAMES: ClassVar[dict[int, str]] = {sig: sig.name[3:].lower() for sig in signal.Signals}

    master_pid: int
    master_name: str

    reload: Callable[[], None]
    reexec: Callable[[], None]
    stop: Callable[[bool], None]

    def init_signals(self) -> None:
        """Directs the master's signals into `SIG_QUEUE`."""
        self.log.close_on_exec()
        for sig in (*self.SIGNALS, signal.SIGCHLD):
            # What Python had installed would be called as well.
            signal.signal(sig, signal.SIG_DFL)
        self.SIG_QUEUE.install()

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queues `sig` as if it had been received. For handlers of others: it only queues."""
        self.SIG_QUEUE.put_nowait(sig)

    signal_chld = signal

    def handle_chld(self) -> None:
        """SIGCHLD: a child ended."""
        self.reap_workers()

    def handle_cld(self) -> None:
        """SIGCHLD by its other name."""
        self.handle_chld()

    def handle_hup(self) -> None:
        """SIGHUP: reload."""
        self.log.info("Hang up: %s", self.master_name)
        # The way back of an upgrade.
        self._upgrade.forget(signal.SIGWINCH)
        self.reload()

    def handle_term(self) -> None:
        """SIGTERM: graceful stop, when a successor (USR2) is ready, or after `shutdown_delay`."""
        if self._upgrade.keeps(self, signal.SIGTERM) or self._departure.begins(self):
            return
        raise StopIteration

    def handle_int(self) -> None:
        """SIGINT: quick stop."""
        self.stop(False)
        raise StopIteration

    def handle_quit(self) -> None:
        """SIGQUIT: quick stop."""
        self.stop(False)
        raise StopIteration

    def handle_usr1(self) -> None:
        """SIGUSR1: reopen the log files, here and in the workers."""
        self.log.reopen_files()
        self.kill_workers(signal.SIGUSR1)

    def handle_usr2(self) -> None:
        """SIGUSR2: execute a second master beside this one."""
        self.reexec()

    def handle_winch(self) -> None:
        """SIGWINCH: a daemon stops its workers gracefully; on a terminal it means nothing."""
        if not self.cfg.daemon:
            self.log.debug("SIGWINCH ignored. Not daemonized")
            return
        if self._upgrade.keeps(self, signal.SIGWINCH):
            return
        self.log.info("graceful stop of workers")
        self.num_workers = 0
        self.manage_workers()

    def _handle_signals(self, signals: list[int]) -> None:
        signals = upgrade.in_order(signals)
        try:
            while signals:
                sig = signals.pop(0)
                if sig == signal.SIGHUP and sig in signals[:1]:
                    self.log.info("Hang up, and another one behind it: one reload for both")
                    continue
                self._handle_signal(sig)
        finally:
            # Those behind a TERM: a stop wants to know of an INT.
            for sig in signals:
                self.SIG_QUEUE.put_nowait(sig)

    def _handle_signal(self, sig: int) -> None:
        name = self.SIG_NAMES.get(sig)
        if name is None:
            self.log.info("Ignoring unknown signal: %s", sig)
            return
        handler = getattr(self, f"handle_{name}", None)
        if handler is None:
            self.log.error("Unhandled signal: %s", name)
            return
        say = self.log.debug if sig == signal.SIGCHLD else self.log.info
        say("Handling signal: %s", name)
        if self._departure.drops(self, sig):
            return
        handler()
