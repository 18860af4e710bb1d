"""Functions of the config file that the server calls as it runs.

Each default is a function of the hook's own name, with the parameters that the hook has.
"""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_callable, validate_post_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class OnStarting(Setting):
    name = "on_starting"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def on_starting(server: Any) -> None:
        pass

    default = staticmethod(on_starting)
    desc = """\
        `on_starting(server)`: in the master, before its sockets are opened.
        """


class OnReload(Setting):
    name = "on_reload"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def on_reload(server: Any) -> None:
        pass

    default = staticmethod(on_reload)
    desc = """\
        `on_reload(server)`: in the master, on HUP, before new workers are forked.

        The configuration has been read again and the sockets are the new ones.
        """


class WhenReady(Setting):
    name = "when_ready"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def when_ready(server: Any) -> None:
        pass

    default = staticmethod(when_ready)
    desc = """\
        `when_ready(server)`: in the master, listening, before the first worker is forked.
        """


class Prefork(Setting):
    name = "pre_fork"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def pre_fork(server: Any, worker: Any) -> None:
        pass

    default = staticmethod(pre_fork)
    desc = """\
        `pre_fork(server, worker)`: in the master, before each worker is forked.
        """


class Postfork(Setting):
    name = "post_fork"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def post_fork(server: Any, worker: Any) -> None:
        pass

    default = staticmethod(post_fork)
    desc = """\
        `post_fork(server, worker)`: in each new worker, before the application is loaded.

        The place to open what processes must not share when `preload_app` is on.
        """


class PostWorkerInit(Setting):
    name = "post_worker_init"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def post_worker_init(worker: Any) -> None:
        pass

    default = staticmethod(post_worker_init)
    desc = """\
        `post_worker_init(worker)`: in the worker, the application loaded, before any request.
        """


class WorkerInt(Setting):
    name = "worker_int"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def worker_int(worker: Any) -> None:
        pass

    default = staticmethod(worker_int)
    desc = """\
        `worker_int(worker)`: in a worker that is told to stop at once (INT or QUIT).

        Also when `reload` restarts it.
        """


class WorkerAbort(Setting):
    name = "worker_abort"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def worker_abort(worker: Any) -> None:
        pass

    default = staticmethod(worker_abort)
    desc = """\
        `worker_abort(worker)`: in a worker that has been silent for `timeout` seconds.

        It is called inside the code that was running, so `traceback.print_stack()` shows where
        the worker was stuck.
        """


class PreExec(Setting):
    name = "pre_exec"
    section = "Server Hooks"
    validator = validate_callable(1)
    type = callable

    def pre_exec(server: Any) -> None:
        pass

    default = staticmethod(pre_exec)
    desc = """\
        `pre_exec(server)`: in the process that becomes the new master on USR2.
        """


class PreRequest(Setting):
    name = "pre_request"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def pre_request(worker: Any, req: Any) -> None:
        worker.log.debug("%s %s", req.method, req.path)

    default = staticmethod(pre_request)
    default_doc = "logs method and path at debug level"
    desc = """\
        `pre_request(worker, req)`: before the application is called for a request.
        """


class PostRequest(Setting):
    name = "post_request"
    section = "Server Hooks"
    validator = validate_post_request
    type = callable

    def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
        pass

    default = staticmethod(post_request)
    desc = """\
        `post_request(worker, req, environ, resp)`: after each request.

        `resp`, or `environ` and `resp`, may be left out of the parameters.
        """


class ChildExit(Setting):
    name = "child_exit"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def child_exit(server: Any, worker: Any) -> None:
        pass

    default = staticmethod(child_exit)
    desc = """\
        `child_exit(server, worker)`: in the master, after a worker has ended.
        """


class WorkerExit(Setting):
    name = "worker_exit"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def worker_exit(server: Any, worker: Any) -> None:
        pass

    default = staticmethod(worker_exit)
    desc = """\
        `worker_exit(server, worker)`: in a worker, as the last thing it does.
        """


class NumWorkersChanged(Setting):
    name = "nworkers_changed"
    section = "Server Hooks"
    validator = validate_callable(3)
    type = callable

    def nworkers_changed(server: Any, new_value: Any, old_value: Any) -> None:
        pass

    default = staticmethod(nworkers_changed)
    desc = """\
        `nworkers_changed(server, new_value, old_value)`: in the master, on a new target.

        Called at the start, with None for the old number, and whenever the number is set again:
        on TTIN, TTOU and HUP.
        """


class OnExit(Setting):
    name = "on_exit"
    section = "Server Hooks"
    validator = validate_callable(1)

    def on_exit(server: Any) -> None:
        pass

    default = staticmethod(on_exit)
    desc = """\
        `on_exit(server)`: in the master, as the last thing it does.
        """


class NewSSLContext(Setting):
    name = "ssl_context"
    section = "Server Hooks"
    validator = validate_callable(2)
    type = callable

    def ssl_context(config: Any, default_ssl_context_factory: Any) -> Any:
        return default_ssl_context_factory()

    default = staticmethod(ssl_context)
    default_doc = "calls the factory"
    desc = """\
        `ssl_context(config, default_ssl_context_factory)`: returns the SSLContext to use.

        The factory makes one from the other TLS settings, to be changed or replaced. For the
        native workers the hook is called in the master, once for each time the configuration is
        loaded, as the workers share the context; in other workers once for each process.
        """
