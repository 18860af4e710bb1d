"""An upgrade by USR2, as the two masters see it: who is ready, and what waits for that.

The new master says through a pipe that it has started, and later that its workers have booted. A
TERM that comes to the old one before that is kept until then, so that somebody serves all the time.
"""

from __future__ import annotations

import os
import signal
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.arbiter import Arbiter
    from rgunicorn.supervisor import Supervisor

# Where a successor finds its end of the pipe.
VARIABLE = "RGUNICORN_UPGRADE_FD"

_STARTED = b"s"
_READY = b"r"

# Seconds. How long a TERM waits for a successor at most; and for one that does not even say that it
# has started, because it is an older rgunicorn, or another server.
_PATIENCE = 600.0
_SILENCE = 60.0

# Seconds between two looks while somebody boots.
_LOOK = 0.1


def make_line() -> tuple[int, int]:
    """The pipe from successor to predecessor: its read end and its write end.

    Raises:
        OSError: there are no descriptors left.
    """
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


def in_order(signals: list[int]) -> list[int]:
    """Signals that came together, USR2 before TERM.

    Of two that are sent one right after the other the kernel may run the second one's handler
    first, and the other way round they make no sense.
    """
    late = [sig for sig in signals if sig == signal.SIGTERM]
    if not late or signal.SIGUSR2 not in signals:
        return signals
    return [sig for sig in signals if sig != signal.SIGTERM] + late


class Upgrade:
    """What one master knows of an upgrade: it has a predecessor, or a successor, or neither."""

    def __init__(self) -> None:
        self._successor: Successor | None = None
        # Our end of the pipe to the predecessor, until all is said.
        self._writer: int | None = None
        self._stopping = False

    @property
    def pace(self) -> float:
        """Seconds the main loop may sleep."""
        waiting = self._successor is not None and not self._successor.settled
        return _LOOK if waiting or self._writer is not None else 1.0

    @property
    def answers_elsewhere(self) -> bool:
        """Whether it is the other master that tells how the server is: the newer one, once it is
        ready."""
        return self._writer is not None or (self._successor is not None and self._successor.ready)

    # The new master's side.

    def connect(self) -> None:
        """Tells the master that executed us that we have started. Before anything that takes long:
        a preloaded application, for example."""
        value = os.environ.pop(VARIABLE, "")
        if "GUNICORN_PID" not in os.environ or not value.isdecimal():
            return
        fd = int(value)
        try:
            # Of a variable that somebody else passes on, the number may mean anything.
            if not stat.S_ISFIFO(os.fstat(fd).st_mode):
                return
            os.set_inheritable(fd, False)
        except OSError:
            return
        self._writer = fd
        self._say(_STARTED)

    def disconnect(self) -> None:
        """There is nobody left to tell, or nothing."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def _say(self, word: bytes) -> None:
        assert self._writer is not None
        try:
            os.write(self._writer, word)
        except BrokenPipeError:
            # It has ended; the main loop is going to see that too.
            self.disconnect()

    def in_worker(self) -> None:
        """In a forked worker: the pipes are its master's."""
        self.disconnect()
        if self._successor is not None:
            os.close(self._successor.reader)
            self._successor = None

    # The old master's side.

    def begin(self, pid: int, reader: int) -> None:
        """A successor was forked.

        Args:
            pid: its process.
            reader: our end of the pipe that it has the other end of; from now on ours to close.
        """
        self._successor = Successor(pid, reader)

    def keeps(self, server: Supervisor, sig: int) -> bool:
        """Whether the signal is kept until the successor is ready. TERM is kept only once."""
        successor = self._successor
        if successor is None or successor.settled or os.getpid() == 1:
            # Pid 1 takes everybody along: there is nothing to wait for.
            return False
        name = signal.Signals(sig).name[3:]
        if sig in successor.kept:
            if sig == signal.SIGTERM:
                server.log.warning(
                    "%s again: not waiting for the new master (pid:%s)", name, successor.pid
                )
                successor.settle()
            return sig != signal.SIGTERM
        successor.kept.append(sig)
        server.log.info(
            "%s waits until the new master (pid:%s) is ready, and this one serves on; "
            "a second TERM would not wait",
            name,
            successor.pid,
        )
        return True

    def stop(self) -> None:
        """This master stops: whatever becomes of its successor, it does not serve on."""
        self._stopping = True

    def forget(self, sig: int) -> None:
        """The signal, if it is kept, shall not be acted on any more."""
        if self._successor is not None and sig in self._successor.kept:
            self._successor.kept.remove(sig)

    def on_ended(self, server: Supervisor, code: int | None, sig: int | None) -> None:
        """The successor has ended.

        Args:
            server: the master; its log and its queue of signals are used.
            code: exit code, None when a signal killed it.
            sig: that signal.
        """
        successor, self._successor = self._successor, None
        if successor is None:
            return
        successor.listen()
        os.close(successor.reader)
        how = f"was killed by signal {sig}" if code is None else f"ended with exit code {code}"
        when = "" if successor.ready else " before it was ready"
        say = server.log.info if code == 0 else server.log.error
        say("New master (pid:%s) %s%s", successor.pid, how, when)
        if signal.SIGTERM in successor.kept:
            server.log.error(
                "The upgrade has failed, but TERM was meant: stopping, and nobody serves after this"
            )
            server.SIG_QUEUE.put_nowait(signal.SIGTERM)
        elif code != 0 and not self._stopping:
            server.log.error("This master serves on; USR2 is the next try")

    def look(self, server: Arbiter) -> None:
        """One turn of the main loop."""
        if self._writer is not None:
            self._report(server)
        if self._successor is not None and not self._successor.ready:
            self._watch(server, self._successor)

    def _report(self, server: Arbiter) -> None:
        ready = server._fleet.ready()
        if ready < server.num_workers:
            return
        server.log.info(
            "Ready: %s workers have booted, the old master (pid:%s) can go",
            ready,
            server.master_pid,
        )
        self._say(_READY)
        self.disconnect()

    def _watch(self, server: Arbiter, successor: Successor) -> None:
        successor.listen()
        if successor.ready:
            server.log.info("New master (pid:%s) is ready", successor.pid)
        elif successor.settled or (late := successor.lateness()) is None:
            return
        elif successor.kept or successor.started:
            server.log.warning("New master (pid:%s) %s: nobody waits for it", successor.pid, late)
        for sig in successor.settle():
            server.SIG_QUEUE.put_nowait(sig)


class Successor:
    """A master that we have executed.

    Args:
        pid: its process.
        reader: where it says how far it is.
    """

    def __init__(self, pid: int, reader: int) -> None:
        self.pid = pid
        self.reader = reader
        self.started = False
        self.ready = False
        #: Nothing waits for it (any more).
        self.settled = False
        #: Signals to be acted on when it is ready.
        self.kept: list[int] = []
        self._since = time.monotonic()

    def listen(self) -> None:
        """Takes what it has said."""
        try:
            words = os.read(self.reader, 64)
        except BlockingIOError:
            return
        self.started |= _STARTED in words
        self.ready |= _READY in words

    def settle(self) -> list[int]:
        """Nothing waits for it from now on.

        Returns:
            The signals that have waited.
        """
        kept, self.kept, self.settled = self.kept, [], True
        return kept

    def lateness(self) -> str | None:
        """What is wrong with it, None as long as it has time."""
        lived = time.monotonic() - self._since
        if lived >= _PATIENCE:
            return f"is not ready after {_PATIENCE:.0f} s"
        if not self.started and lived >= _SILENCE:
            return f"has said nothing for {_SILENCE:.0f} s, as other servers would"
        return None
