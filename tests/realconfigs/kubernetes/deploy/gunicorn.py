import os

import service

bind = f"{os.environ['HOST']}:{os.environ['PORT']}"
workers = 2
threads = 4
preload_app = True
graceful_timeout = 50
max_requests = 3
keepalive = 65
accesslog = "-"
statsd_host = os.environ.get("STATSD_HOST")
statsd_prefix = "shop"

MASTER = os.getpid()


def note(hook, *facts):
    role = "master" if os.getpid() == MASTER else "worker"
    with open("hooks.log", "a") as log:
        log.write(" ".join([role, hook, *map(str, facts)]) + "\n")


def on_starting(server):
    note("on_starting")


def when_ready(server):
    # The readiness probe looks for this file.
    open("ready", "w").close()
    note("when_ready")


def pre_fork(server, worker):
    note("pre_fork")


def post_fork(server, worker):
    service.db.connect()
    service.worker = worker
    note("post_fork")


def post_worker_init(worker):
    note("post_worker_init", service.db.owner == os.getpid())


def worker_int(worker):
    note("worker_int")


def child_exit(server, worker):
    note("child_exit", worker.pid in server.WORKERS)


def worker_exit(server, worker):
    note("worker_exit", worker.pid == os.getpid())


def on_reload(server):
    note("on_reload")


def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", new_value, old_value)


def on_exit(server):
    os.remove("ready")
    note("on_exit")
