# Every hook but ssl_context, which needs TLS, writing a line about itself to hooks.log:
# `role|hook|facts`. The role is `master` or the age of the worker
# whose process it is; `RAISE` names hooks that raise.
import os

MASTER = os.getpid()
LOG = os.path.join(os.getcwd(), "hooks.log")
RAISE = os.environ.get("RAISE", "").split()
role = "master"


def note(hook, *facts):
    with open(LOG, "a") as log:
        log.write("|".join([role, hook, *map(str, facts)]) + "\n")
    if hook in RAISE:
        raise RuntimeError(f"{hook} was asked to raise")


def about_server(server):
    return (
        f"pid={server.pid == os.getpid()}",
        f"num_workers={server.num_workers}",
        f"address={len(server.address)}",
        f"timeout={server.timeout}",
        f"cfg={server.cfg.workers}",
        f"master_pid={server.master_pid != 0}",
        f"reexec_pid={server.reexec_pid != 0}",
        f"proc_name={server.proc_name}",
    )


def about_worker(worker):
    pid = worker.pid if isinstance(worker.pid, str) else worker.pid == os.getpid()
    return (
        f"age={worker.age}",
        f"pid={pid}",
        f"ppid={worker.ppid == MASTER}",
        f"booted={worker.booted}",
        f"aborted={worker.aborted}",
        f"alive={worker.alive}",
        f"nr={worker.nr}",
        f"timeout={worker.timeout}",
        f"sockets={len(worker.sockets)}",
        f"callable={worker.app.callable is not None}",
    )


def on_starting(server):
    note("on_starting", *about_server(server))


def on_reload(server):
    note("on_reload", *about_server(server))


def when_ready(server):
    note("when_ready", *about_server(server), f"listeners={len(server.LISTENERS)}")


def pre_fork(server, worker):
    note("pre_fork", *about_worker(worker))


def post_fork(server, worker):
    global role
    role = str(worker.age)
    note("post_fork", *about_worker(worker))


def post_worker_init(worker):
    note("post_worker_init", *about_worker(worker))


def worker_int(worker):
    note("worker_int", *about_worker(worker))


def worker_abort(worker):
    note("worker_abort", *about_worker(worker))


def pre_exec(server):
    note("pre_exec", f"pid={server.pid == os.getpid()}", f"num_workers={server.num_workers}")


def pre_request(worker, req):
    note(
        "pre_request",
        f"nr={worker.nr}",
        f"{req.method} {req.uri} {req.path} {req.query} {req.version} {req.scheme}",
        sorted(req.headers),
    )


def post_request(worker, req, environ, resp):
    note(
        "post_request",
        f"nr={worker.nr}",
        f"{req.method} {req.path}",
        environ.get("PATH_INFO"),
        f"{getattr(resp, 'status_code', 0)} {resp.status} {resp.sent} {resp.response_length}"
        if resp
        else None,
        sorted(resp.headers) if resp else None,
    )


def child_exit(server, worker):
    note("child_exit", f"age={worker.age}", f"booted={worker.booted}")


def worker_exit(server, worker):
    note("worker_exit", *about_worker(worker))


def nworkers_changed(server, new_value, old_value):
    note("nworkers_changed", new_value, old_value)


def on_exit(server):
    note("on_exit", f"num_workers={server.num_workers}")
