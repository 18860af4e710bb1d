"""Every hook of the master and of a worker's life writes down that it was called, and where."""

import os

MASTER = os.getpid()
path = os.environ["HOOKS"]


def note(name, *facts, age=None):
    role = "master" if os.getpid() == MASTER else f"worker{age}"
    with open(path, "a") as file:
        print(role, name, *facts, file=file, flush=True)


def on_starting(server):
    note("on_starting", server.LISTENERS, bool(server.pid), server.master_name)


def when_ready(server):
    note("when_ready", len(server.LISTENERS), len(server.WORKERS), server.num_workers)


def on_reload(server):
    note("on_reload", server.num_workers, len(server.WORKERS))


def nworkers_changed(server, new, old):
    note("nworkers_changed", new, old)


def pre_fork(server, worker):
    note("pre_fork", worker.age, worker.pid, worker.booted, server.worker_age, len(server.WORKERS))


def post_fork(server, worker):
    me = worker.pid == os.getpid()
    note("post_fork", me, worker.ppid == MASTER, worker.booted, age=worker.age)


def post_worker_init(worker):
    note("post_worker_init", worker.booted, worker.alive, callable(worker.wsgi), age=worker.age)


def worker_int(worker):
    note("worker_int", worker.alive, age=worker.age)


def worker_abort(worker):
    note("worker_abort", worker.alive, age=worker.age)


def worker_exit(server, worker):
    note("worker_exit", worker.alive, age=worker.age)


def child_exit(server, worker):
    note("child_exit", worker.age, worker.pid in server.WORKERS, worker.booted)


def pre_exec(server):
    note("pre_exec", server.reexec_pid)


def on_exit(server):
    note("on_exit", len(server.WORKERS), len(server.LISTENERS))
