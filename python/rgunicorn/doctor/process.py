"""Risks of how the processes run: identity, numbers, times, files."""

from __future__ import annotations

import os

from rgunicorn.doctor.finding import ERROR, HINT, WARNING, Finding
from rgunicorn.settings.effects import kind_of_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject

#: More processes and more threads than this for each CPU do not run any sooner.
WORKERS_PER_CPU = 8
CALLS_PER_CPU = 64
#: What an interpreter with a small framework takes at least.
WORKER_BYTES = 40 << 20
FEW_REQUESTS = 100


def identity(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: workers with the rights of root; a change of user that only root may do."""
    cfg = subject.cfg
    for name in ("user", "group"):
        if machine.euid != 0 and not cfg.settings[name].has_default:
            yield subject.finding(
                ERROR,
                "not-root",
                name,
                f"only root may change the {name} of its workers, and this is user {machine.euid}",
                subject.drop(name),
            )
    if machine.euid == 0 and cfg.uid == 0:
        severity = HINT if machine.in_container else WARNING
        yield subject.finding(
            severity,
            "root",
            "user",
            "the workers run as root: a fault of the application has all rights",
            'user = "www-data"',
        )


def numbers(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: more workers or calls at once than CPUs and memory can carry."""
    cfg = subject.cfg
    kind = kind_of_worker(cfg)
    threads = cfg.threads if kind in ("sync", "gthread") else 1
    name = "max_workers" if cfg.max_workers else "workers"
    most = getattr(cfg, name)
    if most > WORKERS_PER_CPU * machine.cpus:
        yield subject.finding(
            WARNING,
            "many-workers",
            name,
            f"{most} processes share {machine.cpus:g} CPUs",
            subject.write(name, int(2 * machine.cpus) + 1),
        )
    elif threads > 1 and most * threads > CALLS_PER_CPU * machine.cpus:
        yield subject.finding(
            HINT,
            "many-threads",
            "threads",
            f"{most} workers with {threads} threads run {most * threads} requests at "
            f"once, on {machine.cpus:g} CPUs",
            subject.write("threads", max(2, int(CALLS_PER_CPU * machine.cpus / most))),
        )
    memory = machine.memory
    if memory is not None and most > 1 and most * WORKER_BYTES > memory:
        yield subject.finding(
            WARNING,
            "memory",
            name,
            f"{most} interpreters need {most * WORKER_BYTES >> 20} MiB at least, and "
            f"there are {memory >> 20} MiB",
            subject.write(name, max(1, memory // (2 * WORKER_BYTES))),
        )


def times(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: no timeout, one that limits no request, workers that are replaced all the time."""
    cfg = subject.cfg
    if cfg.timeout == 0:
        yield subject.finding(
            WARNING,
            "no-timeout",
            "timeout",
            "a worker that hangs is never replaced",
            subject.write("timeout", 30),
        )
    elif subject.origin("timeout") is not None and kind_of_worker(cfg) == "gthread":
        yield subject.finding(
            HINT,
            "timeout-of-threads",
            "timeout",
            "in the gthread worker it ends a worker that hangs as a whole, and no single request, "
            "as in Gunicorn",
            "nothing, if that is what you want",
        )
    if kind_of_worker(cfg) == "sync" and 0 < cfg.timeout <= cfg.request_timeout:
        yield subject.finding(
            WARNING,
            "timeout-comes-first",
            "request_timeout",
            f"timeout = {cfg.timeout} ends the sync worker before a request has taken "
            f"{cfg.request_timeout:g} s: without 504 to its client",
            subject.write("timeout", int(cfg.request_timeout) + 30),
        )
    if 0 < cfg.max_requests < FEW_REQUESTS:
        yield subject.finding(
            WARNING,
            "few-requests",
            "max_requests",
            f"each worker is replaced after {cfg.max_requests} requests: starting workers becomes "
            f"the main work",
            subject.write("max_requests", 1000),
        )
    if 0 < cfg.max_rss_hard <= cfg.max_rss:
        yield subject.finding(
            WARNING,
            "memory-limits",
            "max_rss_hard",
            "it is not above max_rss, so that workers leave before their successors are ready",
            subject.write("max_rss_hard", cfg.max_rss * 3 // 2),
        )


def development(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields settings that are for one's own desk."""
    cfg = subject.cfg
    if cfg.spew:
        yield subject.finding(
            WARNING,
            "spew",
            "spew",
            "every line that Python runs is printed: the server is hundreds of times slower",
            subject.drop("spew"),
        )
    if cfg.reload:
        yield subject.finding(
            WARNING,
            "reload",
            "reload",
            "workers restart when a file changes, also in the middle of a deployment",
            subject.drop("reload"),
        )
    if cfg.reload and cfg.preload_app:
        yield subject.finding(
            WARNING,
            "reload-preload",
            "preload_app",
            "the application is imported before the fork: a restarted worker has the old code",
            subject.drop("preload_app"),
        )
    if cfg.touch_reload and cfg.preload_app:
        yield subject.finding(
            WARNING,
            "touch-preload",
            "touch_reload",
            "a reload does not import a preloaded application again: workers go on with old code",
            subject.drop("preload_app"),
        )
    if cfg.loglevel.lower() == "debug":
        yield subject.finding(
            WARNING,
            "debug-log",
            "loglevel",
            "the whole configuration is logged, passwords in raw_env too",
            subject.write("loglevel", "info"),
        )


def files(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: logs that can not be written, a heartbeat that waits for a disk, a title nobody
    sees."""
    cfg = subject.cfg
    for name in ("accesslog", "errorlog"):
        path = cfg.settings[name].get()
        if path not in (None, "-") and not machine.writable(path):
            yield subject.finding(
                ERROR,
                "not-writable",
                name,
                "this user can not write that file",
                subject.write(name, "-"),
            )
    uploads = cfg.tmp_upload_dir
    if uploads and not (os.path.isdir(uploads) and os.access(uploads, os.W_OK | os.X_OK)):
        yield subject.finding(
            WARNING,
            "no-directory",
            "tmp_upload_dir",
            "it is no directory that this user can write to: large bodies go to the one for "
            "temporary files",
            subject.drop("tmp_upload_dir"),
        )
    directory = cfg.worker_tmp_dir
    if directory and not os.path.isdir(directory):
        yield subject.finding(
            ERROR,
            "no-directory",
            "worker_tmp_dir",
            "there is no such directory",
            subject.write("worker_tmp_dir", "/dev/shm"),
        )
    elif directory and not machine.in_memory(directory):
        yield subject.finding(
            WARNING if machine.in_container else HINT,
            "heartbeat-on-disk",
            "worker_tmp_dir",
            f"{directory} is a disk ({machine.file_system(directory)}): a sign of life may wait "
            f"for it, and a healthy worker be killed",
            subject.write("worker_tmp_dir", "/dev/shm"),
        )
    if cfg.settings["proc_name"].get() is not None and not machine.has_setproctitle:
        yield subject.finding(
            WARNING,
            "no-title",
            "proc_name",
            "without the package setproctitle no process bears that name",
            "pip install setproctitle",
        )
