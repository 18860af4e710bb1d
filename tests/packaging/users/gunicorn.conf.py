"""A config file whose author has a type checker: every hook, with the types of its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from rgunicorn.arbiter import Arbiter
    from rgunicorn.config import Config
    from rgunicorn.http.message import Request
    from rgunicorn.http.response import Response
    from rgunicorn.workers.base import Worker

workers = 1
wsgi_app = "embedded:application"
worker_class = "worker.Polite"


def on_starting(server: Arbiter) -> None:
    server.log.info("on_starting %d", server.pid)


def on_reload(server: Arbiter) -> None:
    server.log.info("on_reload %s", [str(listener) for listener in server.LISTENERS])


def when_ready(server: Arbiter) -> None:
    server.log.info("when_ready %d", server.num_workers)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    server.log.info("pre_fork %d", worker.age)


def post_fork(server: Arbiter, worker: Worker) -> None:
    server.log.info("post_fork %d", worker.pid)


def post_worker_init(worker: Worker) -> None:
    worker.log.info("post_worker_init %s", worker.booted)


def worker_int(worker: Worker) -> None:
    worker.log.info("worker_int %s", worker.alive)


def worker_abort(worker: Worker) -> None:
    worker.log.info("worker_abort %s", worker.aborted)


def pre_exec(server: Arbiter) -> None:
    server.log.info("pre_exec %s", server.address)


def pre_request(worker: Worker, req: Request) -> None:
    worker.log.info("pre_request %s %s %s", req.method, req.path, dict(req.headers))


def post_request(worker: Worker, req: Request, environ: dict[str, Any], resp: Response) -> None:
    worker.log.info("post_request %s %s %d", req.uri, resp.status, resp.sent)


def child_exit(server: Arbiter, worker: Worker) -> None:
    server.log.info("child_exit %d", worker.pid)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    worker.log.info("worker_exit %d", worker.nr)


def nworkers_changed(server: Arbiter, new_value: int, old_value: int | None) -> None:
    server.log.info("nworkers_changed %s %s", old_value, new_value)


def on_exit(server: Arbiter) -> None:
    server.log.info("on_exit %s", server.cfg.proc_name)


def ssl_context(config: Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.set_alpn_protocols(["http/1.1"])
    return context
