"""How many workers there are, of what kind, and how long they may take."""

from __future__ import annotations

import os

from rgunicorn.cpus import Auto
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_class, validate_pos_int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The word for "as many as there are CPUs".
AUTO = "auto"


def _web_concurrency() -> int | str:
    raw = os.environ.get("WEB_CONCURRENCY", "1")
    try:
        return int(raw)
    except ValueError:
        # Kept as text: refused with its name when a `Config` is made, not by an import.
        return raw


def _is_auto(text: str) -> bool:
    return text.strip().lower() == AUTO


def _number_flag(_: object, text: str) -> int | str:
    return text if _is_auto(text) else int(text)


# argparse says "invalid int value".
_number_flag.__name__ = "int"


class Workers(Setting):
    name = "workers"
    section = "Worker Processes"
    cli = ["-w", "--workers"]
    meta = "INT"
    type = _number_flag
    validator = validate_pos_int
    default = _web_concurrency()
    default_doc = "`WEB_CONCURRENCY` if it is in the environment, else `1`"
    default_env = "WEB_CONCURRENCY"
    desc = """\
        How many processes handle requests.

        Each sync worker runs one request at a time and each gthread worker as many as it has
        `threads`, so workers times threads is the number of requests that run at once. Start with
        the number of CPUs for an application that computes; for one that waits for a database use
        two to four times as many, or threads, and measure. Memory grows with every worker;
        `preload_app` shares part of it.

        `auto` is one for each CPU that this process may use: the CPUs it may run on, or fewer if
        the quota of its control group, or of one above it, grants less time than that; a part of
        a CPU counts as one. It is counted at the start and at each HUP, and logged.

        TTIN and TTOU signals change the number while the server runs, until the next HUP. With
        `min_workers` and `max_workers` it follows the load, and this is where it begins.
        """

    def set(self, val: Any) -> None:
        """As any number, or the word `auto`: counted now, so at each load anew."""
        if isinstance(val, str) and _is_auto(val):
            self.value = Auto.count()
        elif isinstance(val, Auto):
            self.value = val
        else:
            super().set(val)


class WorkerClass(Setting):
    name = "worker_class"
    section = "Worker Processes"
    cli = ["-k", "--worker-class"]
    meta = "STRING"
    validator = validate_class
    default = "sync"
    desc = """\
        The kind of worker.

        `sync` runs one request at a time, `gthread` runs `threads` of them. Both read and write
        any number of slow clients beside that. `gthread` keeps connections open for further
        requests, `sync` does so with `sync_keepalive`.

        Also the dotted name of a subclass of `gunicorn.workers.base.Worker`,
        `gunicorn.workers.sync.SyncWorker` or `gunicorn.workers.gthread.ThreadWorker`,
        `egg:DISTRIBUTION#NAME` for an entry point in the group `gunicorn.workers`, or, in a
        config file, a class or a function that returns one.

        `asgi` serves ASGI applications and needs the package uvicorn; `tornado` serves Tornado's
        and needs tornado; `gevent` and `gevent_pywsgi` (also called `gevent_wsgi`) need gevent.
        `uvicorn_worker.UvicornWorker` and `aiohttp.GunicornWebWorker` come with the packages
        uvicorn-worker and aiohttp.
        """


class WorkerThreads(Setting):
    name = "threads"
    section = "Worker Processes"
    cli = ["--threads"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 1
    desc = """\
        How many threads of each worker run the application.

        More than 1 turns the sync worker into the gthread worker. Other worker classes take no
        notice of it.

        The threads are Python's, named `gthread-1`, `gthread-2` and so on; the main thread runs
        signal handlers and never the application. A thread is taken only while the application
        runs, not while a client sends or reads. Under CPython's global lock threads help an
        application that waits; one that computes needs workers.
        """


class WorkerConnections(Setting):
    name = "worker_connections"
    section = "Worker Processes"
    cli = ["--worker-connections"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 1000
    desc = """\
        How many clients one worker keeps connected at most.

        Kept-alive, slow and waiting clients all count; a worker that has that many lets nobody
        else in until one leaves. Each costs some kilobytes while it is idle. With gthread keep it
        above `threads`, or no connection can be kept alive.

        Gunicorn's sync worker holds one client at a time and takes no notice of it; here it
        counts for both kinds of worker.
        """


class MaxRequests(Setting):
    name = "max_requests"
    section = "Worker Processes"
    cli = ["--max-requests"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 0
    desc = """\
        Replace a worker after this many requests; 0 means never.

        A blunt but effective guard against memory leaks. The worker lets nobody in any more and
        finishes the requests that it has; with several threads that may be a few more than this
        number. Use `max_requests_jitter` as well when there are several workers.
        """


class MaxRequestsJitter(Setting):
    name = "max_requests_jitter"
    section = "Worker Processes"
    cli = ["--max-requests-jitter"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 0
    desc = """\
        Add a random number from 0 to this one to `max_requests`, for each worker anew.

        Keeps workers that were started together from being replaced together.
        """


class Timeout(Setting):
    name = "timeout"
    section = "Worker Processes"
    cli = ["-t", "--timeout"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 30
    desc = """\
        Seconds without a sign of life after which a worker is killed and replaced.

        A sync worker gives no sign of life while the application runs, so this is also the
        longest time that one request may take. A gthread worker does so from its main thread, as
        in Gunicorn: there this ends only a worker that hangs as a whole, and no single request.
        Clients that send or read slowly do not count: they never hold the worker.

        0 switches the watch off. The worker gets SIGABRT first, so that `worker_abort` can say
        where it was stuck, and SIGKILL a second later.
        """


class GracefulTimeout(Setting):
    name = "graceful_timeout"
    section = "Worker Processes"
    cli = ["--graceful-timeout"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 30
    desc = """\
        Seconds that requests may still take after TERM or HUP.

        Workers that are busy longer are killed. Keep it below the time that your process
        manager waits before it kills the server itself (10 seconds under Docker, 30 on
        Kubernetes, 90 under systemd unless you changed them).
        """


class Keepalive(Setting):
    name = "keepalive"
    section = "Worker Processes"
    cli = ["--keep-alive"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 2
    desc = """\
        Seconds that an idle connection is kept open for its next request; 0 keeps none.

        For the gthread worker, where an idle connection holds no thread. The sync worker closes
        every connection after one request, as in Gunicorn, unless `sync_keepalive` is on. Behind a
        load balancer that reuses connections, set this higher than the load balancer's own idle
        time, or it will now and then write to a connection that is being closed.
        """
