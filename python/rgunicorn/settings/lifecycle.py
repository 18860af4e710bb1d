"""Settings of ours for the life of the server: reload, stop, the memory before the first fork."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import (
    validate_bool,
    validate_duration,
    validate_list_string,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def validate_reload_strategy(val: Any) -> str:
    """ready, rolling or gunicorn.

    Raises:
        TypeError: it is no text.
        ValueError: it is another word.
    """
    if not isinstance(val, str):
        raise TypeError("reload_strategy must be a string: ready, rolling or gunicorn")
    word = val.lower().strip()
    if word not in ("ready", "rolling", "gunicorn"):
        raise ValueError(
            f"Invalid reload_strategy: {val!r}; allowed are ready, rolling and gunicorn"
        )
    return word


class ReloadStrategy(Setting):
    name = "reload_strategy"
    section = "rgunicorn"
    cli = ["--reload-strategy"]
    meta = "STRING"
    validator = validate_reload_strategy
    default = "ready"
    desc = """\
        When HUP replaces the old workers.

        `ready`: the old workers serve until the new ones are ready. One new worker is forked first;
        when it has loaded the application the others follow, and when all are ready the old ones
        are told to leave. If a new worker ends before it is ready, or none is after ten minutes,
        the reload is given up: the old workers stay, with the old configuration, and the error log
        says why. For a moment there are twice as many workers.

        `rolling`: one worker at a time: a new one is forked, when it is ready an old one is told to
        leave, and when that is gone the next one's turn comes. There is never more than one process
        too many, and two versions of the application serve meanwhile. If a new worker ends before
        it is ready or within its first seconds, the reload is given up: old workers that have left
        already are forked again, with the old configuration, one at a time.

        `gunicorn`: the old workers are told to leave as soon as the new ones are forked. Requests
        wait while the new ones load the application, and one that does not load ends the server.
        """


class TouchReload(Setting):
    name = "touch_reload"
    section = "rgunicorn"
    cli = ["--touch-reload"]
    action = "append"
    meta = "FILES"
    validator = validate_list_string
    default = []
    desc = """\
        Files whose change reloads the server, as HUP does; give the flag again for more.

        For deployments that can touch a file but not send a signal. The master looks once a second:
        a file has changed that was touched, written, replaced, or is there again. One that is not
        there yet may come later; one that goes reloads nothing. Relative paths start from `chdir`.
        A link counts as what it points to. After a reload the new list counts.

        With `preload_app` a reload does not import the application again.
        """


class ShutdownDelay(Setting):
    name = "shutdown_delay"
    section = "rgunicorn"
    cli = ["--shutdown-delay"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        How long the server goes on serving after TERM.

        Everything is answered as before meanwhile, new connections too, but every response says
        `Connection: close`, so that a load balancer can take the server out while it still works.
        Then the stop begins, with `graceful_timeout` for itself. A second TERM ends the delay; INT
        and QUIT stop quickly, as ever. HUP, USR2 and WINCH mean nothing any more.

        As long as the balancer needs to notice: its health check's interval, times the number of
        failures it wants to see. In Kubernetes it takes the place of a `preStop` hook that sleeps;
        `terminationGracePeriodSeconds` has to be longer than this and `graceful_timeout` together.

        Without effect on the old master of an upgrade (USR2): the new one listens on the same
        sockets.

        Written as `client_header_timeout`.
        """


class PreloadFreeze(Setting):
    name = "preload_freeze"
    section = "rgunicorn"
    cli = ["--preload-freeze"]
    meta = "BOOL"
    validator = validate_bool
    default = True
    desc = """\
        With `preload_app`: let the garbage collector forget what exists before the first fork.

        The master collects garbage once, then calls `gc.freeze()`: the collections of the workers
        do not write to what they share with the master, so it stays shared. A reload that loads
        the application again does it again. `False` turns it off.
        """


class WorkerKeeper(Setting):
    name = "worker_keeper"
    section = "rgunicorn"
    cli = ["--worker-keeper"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        A process beside each worker that has its connections, too, should the worker be killed.

        Without it SIGKILL and the OOM killer cost, beside the requests that run, the connection
        that is just being let in or read, if there is one, and, where calls are short and there
        are many, requests that wait for their turn; the error log names them. With it all of these
        go on in another worker, whatever part of them has come. The process shares the worker's
        table of descriptors, sleeps until the worker ends, and ends with it: one more for each
        worker in `ps` (`rgunicorn-keep`), with about 2 MB of its own. Large uploads cost a little
        more: what comes of them is noted piece by piece.

        For the workers `sync` and `gthread`, without TLS.
        """
