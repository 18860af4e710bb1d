"""Whether what went wrong is that the machine lacks something: descriptors, memory, processes.

Such a want passes, and says nothing of the code: a worker that can not boot for it may boot a
moment later.
"""

from __future__ import annotations

import errno
import os
import re

_WANTS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        # fork(2), pthread_create(3): `ulimit -u`, `pids.max`.
        errno.EAGAIN,
        errno.ENOBUFS,
        # A full disk; inotify_add_watch(2) and epoll_ctl(2): `fs.inotify`, `fs.epoll`.
        errno.ENOSPC,
        errno.EDQUOT,
    }
)

# What a `std::io::Error` has become that PyO3 gives to Python: an OSError without a number.
_OF_RUST = re.compile(r"\(os error (\d+)\)$")

# CPython's words for EAGAIN of pthread_create(3), which it does not give a number.
_NO_THREAD = "can't start new thread"


def is_cause(exc: BaseException) -> bool:
    """Whether a want of the machine is what `exc` tells of, or what it was raised from.

    Args:
        exc: what came out of the boot of a worker, or of a fork.
    """
    left, seen = [exc], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if _is_want(one):
            return True
        # Also where a traceback hides it (`from None`): it came first.
        left += [it for it in (one.__cause__, one.__context__) if it is not None]
    return False


def _is_want(exc: BaseException) -> bool:
    match exc:
        case MemoryError():
            return True
        case OSError(errno=None):
            found = _OF_RUST.search(str(exc))
            return found is not None and int(found[1]) in _WANTS
        case OSError():
            return exc.errno in _WANTS
        case ImportError():
            # dlopen(3) has words only, the kernel's last.
            return str(exc).endswith(tuple(f": {os.strerror(number)}" for number in _WANTS))
        case RuntimeError():
            return str(exc) == _NO_THREAD
    return False
