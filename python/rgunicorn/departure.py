"""`Departure`: how the master takes its leave, as far as time goes.

TERM with `shutdown_delay` begins a time in which everything is served as before, but no response
promises another request. Then, or at once, the stop begins, and the workers are told on the
scoreboard what becomes of those who wait at the listeners.
"""

from __future__ import annotations

import math
import signal
import time

from rgunicorn.workers import workertmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.arbiter import Arbiter
    from rgunicorn.signals import Handlers
    from rgunicorn.supervisor import Supervisor

# Nothing but the end comes after a TERM.
_DROPPED = (signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH)

# Seconds within which a second INT is the same one: a terminal and a process manager both send it.
_SAME = 0.5


class Departure:
    """What is to come of the master."""

    def __init__(self) -> None:
        # Monotonic seconds.
        self._stops_at = math.inf
        self._quick_since = math.inf

    @property
    def left(self) -> float:
        """Seconds until the delay is over; infinite when there is none."""
        return max(0.0, self._stops_at - time.monotonic())

    def begins(self, server: Handlers) -> bool:
        """TERM: whether a delay begins with it. A second one ends the delay."""
        delay = server.cfg.shutdown_delay
        # Of an upgrade's two masters the other one listens on the same sockets.
        if not delay or self._stops_at != math.inf or server.reexec_pid or server.master_pid:
            return False
        self._stops_at = time.monotonic() + delay
        server.log.info(
            "Stopping in %.10g s (shutdown_delay); until then requests are served", delay
        )
        workertmp.announce("parting")
        server._unit.leaving(server.log, 0, delay + server.cfg.graceful_timeout)
        return True

    def drops(self, server: Supervisor, sig: int) -> bool:
        """Whether a signal means nothing any more."""
        if self._stops_at == math.inf or sig not in _DROPPED:
            return False
        server.log.info("Signal ignored: the server is stopping")
        return True

    def look(self) -> None:
        """Ends the delay when it is over.

        Raises:
            StopIteration: as `handle_term` does.
        """
        if self._stops_at <= time.monotonic():
            raise StopIteration

    def stop(self, server: Arbiter, graceful: bool) -> None:
        """The stop begins: tells the workers, before their signal, how."""
        self._stops_at = math.inf
        if self._quick_since != math.inf:
            return
        if not graceful:
            self._quicken()
            return
        until = time.monotonic_ns() + int(server.cfg.graceful_timeout * 1e9)
        workertmp.announce("closing" if _listens_alone(server) else "leaving", until)

    def quickens(self, server: Supervisor, sig: int) -> bool:
        """A signal during the stop: whether it is to be quicker than it is."""
        if sig not in (signal.SIGINT, signal.SIGQUIT):
            return False
        if self._quick_since == math.inf:
            server.log.info("Quick shutdown requested")
            self._quicken()
            return True
        if time.monotonic() - self._quick_since <= _SAME:
            return False
        server.log.info("Shutdown requested again: not waiting for requests")
        return True

    def _quicken(self) -> None:
        self._quick_since = time.monotonic()
        workertmp.announce("quitting")


def _listens_alone(server: Arbiter) -> bool:
    """Whether nobody goes on listening where we did."""
    if not server._owns_listeners() and not server.cfg.reuse_port:
        return False
    # Somebody has opened these, and may have them still.
    return not any(isinstance(address, int) for address in server.cfg.address)
