"""`BlackBox`: what is left of a worker that died.

The master makes one before each fork and reads it after the worker's end: the requests that ran
(shared memory, `_core.Flights`), and the stacks of its threads (a file in memory, written by
`faulthandler`, whose C handlers need neither the GIL nor a Python that still works).
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import os
import resource
import signal
import sys

from rgunicorn._core import Flights, Vault, bear_witness, notepad
from rgunicorn.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rgunicorn._core import Sighting
    from rgunicorn.glogging import Logger

# Makes a worker write its stacks, and go on. Real-time, because whoever installs a handler for one
# of the others means it: USR1, USR2, ALRM, PROF, URG (Go), PWR and XCPU (garbage collectors) have
# users. From the middle of the range, because libraries take theirs from the ends (SIGRTMIN: .NET;
# SIGRTMAX: Valgrind), and glibc and musl keep the first ones to themselves.
STACK_SIGNAL = signal.SIGRTMIN + 14

# Of the stacks no more is read than this: CPython writes at most 100 threads of 100 frames.
_MOST = 1 << 20

# Descriptors are given out from the lowest free one. The file of stacks gets a high one: if the
# application closes what it does not know, no file of its own is soon found under that number.
_HIGH_FD = 1024


# So many descriptors are left to the master for everything else: when there are fewer, nobody but
# the master sees what a worker runs.
_SPARE_FDS = 64


class BlackBox:
    """The black box of one worker.

    Args:
        room: how many requests the worker can run at once.
        slates: how many of its threads keep access lines back.
        label: slot and age of the worker, for `rgunicorn top`.
        vault: how many of its connections may outlive it when it is killed.
        keeper: whether a process beside it keeps the others.

    Raises:
        OSError: no memory, or no descriptor left.
    """

    def __init__(
        self,
        room: int,
        slates: int = 0,
        label: tuple[int | None, int] | None = None,
        vault: int = 0,
        keeper: bool = False,
    ) -> None:
        self._fd = notepad()
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft != resource.RLIM_INFINITY and self._fd >= soft - _SPARE_FDS:
            label = None
        try:
            self.flights: Flights | None = Flights(room, slates, label)
            self.vault = Vault(vault, keeper) if vault > 0 else None
        except BaseException:
            os.close(self._fd)
            raise
        # How much of the stacks has been read.
        self._read = 0
        # When stacks were last asked for, monotonic seconds.
        self.asked: float | None = None
        # Keys of requests that the error log has lines about.
        self.told: set[object] = set()

    def __del__(self, ends: Callable[[], bool] = sys.is_finalizing) -> None:
        # A fork that failed leaves one behind that nobody will ever read. When the interpreter
        # ends there is nothing to save, and the names of this module are gone already.
        if hasattr(self, "flights") and not ends():
            self.close()

    def settle(self) -> None:
        """In the worker, before anything else: what is the master's is closed."""
        if self.flights is not None:
            self.flights.close_fd()

    def arm(self) -> None:
        """In the worker, when its signal handlers are installed: from here on stacks are written.

        Whoever has enabled `faulthandler` for himself, or does so later, keeps it: the stacks of
        a crash go where he wants them.
        """
        if self.flights is None:
            return
        self._move_up()
        aborts = False
        if not faulthandler.is_enabled():
            faulthandler.enable(file=self._fd, all_threads=True)
            # It reads frames of threads that run, and may crash of it: no matter for who crashes
            # anyway, but at SIGABRT the worker has to run its own handler afterwards.
            handler = signal.getsignal(signal.SIGABRT)
            if handler is not None:
                signal.signal(signal.SIGABRT, handler)
                aborts = True
        faulthandler.register(STACK_SIGNAL, file=self._fd, all_threads=True, chain=False)
        bear_witness(STACK_SIGNAL, self._fd, aborts)
        self.flights.stack_signal = int(STACK_SIGNAL)

    def part(self) -> None:
        """In the master, when the worker has been forked: what is its keeper's is closed."""
        if self.vault is not None:
            self.vault.part()

    def keep(self, log: Logger) -> None:
        """In the worker, before the application is there: starts its keeper, if it shall have one.

        Args:
            log: told when that can not be; the worker does without.
        """
        if self.vault is None:
            return
        try:
            self.vault.keep()
        except OSError as exc:
            log.warning("worker_keeper has no effect in worker (pid:%s): %s", os.getpid(), exc)

    def secede(self) -> None:
        """In a child that the application has forked: its crashes and its requests are not the
        worker's."""
        if self.flights is None:
            return
        self.flights.secede()
        if self.vault is not None:
            self.vault.secede()
        # faulthandler can not be asked whether it still writes to our file.
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, self._fd, inheritable=False)
        os.close(nowhere)

    def ask(self, pid: int, now: float) -> bool:
        """Has the worker write its stacks. False: it is not able to.

        Args:
            pid: the worker.
            now: monotonic seconds.
        """
        number = self.flights.stack_signal if self.flights is not None else 0
        # Shared memory is not to be believed: the worker may have written anything there.
        if number != STACK_SIGNAL:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, STACK_SIGNAL)
            self.asked = now
            return True
        return False

    def unread(self) -> int:
        """Bytes of stacks that nobody has read."""
        if self.flights is None:
            return 0
        return max(0, os.fstat(self._fd).st_size - self._read)

    def stacks(self) -> str:
        """What of the stacks has not been read yet; what is not printable is escaped."""
        if self.flights is None:
            return ""
        text = os.pread(self._fd, _MOST, self._read)
        self._read += len(text)
        return printable(text.decode("utf-8", "backslashreplace"), keep="\n")

    def running(self) -> list[Sighting]:
        """The requests that run, or that ran when the worker died."""
        return self.flights.running() if self.flights is not None else []

    def unwritten(self) -> tuple[list[str], int]:
        """Access lines that the worker had made but not written, and how many more there are that
        make no sense, or were given up while the log took none."""
        lines: list[str] = []
        if self.flights is None:
            return lines, 0
        damaged = self.flights.lost_lines
        for octets in self.flights.unwritten():
            for line in octets.decode("utf-8", "replace").split("\n")[:-1]:
                if line.isprintable() and "\ufffd" not in line:
                    lines.append(line)
                else:
                    damaged += 1
        return lines, damaged

    def close(self) -> None:
        """Gives the memory back, in this process."""
        if self.flights is not None:
            self.flights = self.vault = None
            os.close(self._fd)

    def _move_up(self) -> None:
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        limit = _HIGH_FD if soft == resource.RLIM_INFINITY else min(soft, _HIGH_FD)
        try:
            fd = fcntl.fcntl(self._fd, fcntl.F_DUPFD_CLOEXEC, max(0, limit - 16))
        except OSError:
            return  # the top is taken: then it stays where it is
        os.close(self._fd)
        self._fd = fd
