"""Disturbances that are system calls which fail, by the preloaded library (`faults`)."""

from __future__ import annotations

import errno

from chaos.disturbances import LOST, NO_ROOM, Disturbance
from chaos.faults import name_of


class Fault(Disturbance):
    """A call that fails. Subclasses say which, with which errors."""

    call = ""
    numbers: tuple[int, ...] = ()
    shares: tuple[float, ...] = (0.1, 0.5, 1.0)

    def happen(self) -> None:
        number, share = self.dice.choice(self.numbers), self.dice.choice(self.shares)
        what = f"{self.call}: {name_of(number)} in {share:.0%}"
        with self.noted(what), self.site.faults.failing(self.call, number, share):
            self.last()


class AcceptFails(Fault):
    name = "accept"
    call = "accept"
    numbers = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED)


class OpenFails(Fault):
    """Of files that are made: spools. Of logs as well, at a USR1."""

    name = "open"
    call = "open"
    numbers = (errno.EMFILE, errno.ENFILE, errno.ENOSPC)
    excuses = NO_ROOM


class ReceiveFails(Fault):
    """Connections that fail, in the middle of anything."""

    name = "receive"
    call = "receive"
    numbers = (errno.ENOMEM, errno.ENOBUFS, errno.ECONNRESET, errno.ETIMEDOUT)
    shares = (0.01, 0.1)
    # In the middle of a large body the application gets the error, which is its own to handle.
    excuses = LOST | {"500"}


class SendFails(Fault):
    name = "send"
    call = "send"
    numbers = (errno.ENOMEM, errno.ENOBUFS, errno.EPIPE)
    shares = (0.01, 0.1)
    excuses = LOST


class DescriptorFails(Fault):
    """Of memfds and pipes, which hand connections over."""

    name = "descriptor"
    call = "descriptor"
    numbers = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class WatchFails(Fault):
    """epoll_ctl: fs.epoll.max_user_watches."""

    name = "watch"
    call = "watch"
    numbers = (errno.ENOSPC, errno.ENOMEM)
    shares = (0.05, 0.3)
    excuses = LOST


class ThreadFails(Fault):
    name = "thread"
    call = "thread"
    numbers = (errno.EAGAIN,)


class MapFails(Fault):
    name = "map"
    call = "map"
    numbers = (errno.ENOMEM,)


class SpoolFails(Fault):
    """The disk for uploads is full, at any write."""

    name = "write-spool"
    call = "write-spool"
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
    excuses = NO_ROOM


class LogFails(Fault):
    """The disk for the access log is full: part of a write, then none."""

    name = "write-log"
    call = "write-log"
    numbers = (errno.ENOSPC,)
    shares = (1.0,)
