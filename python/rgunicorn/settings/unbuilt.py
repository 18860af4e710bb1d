"""Refusing what is not built yet: better a message at boot than a setting without effect."""

from __future__ import annotations

from rgunicorn import __version__, util
from rgunicorn._loading import own_name
from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Unbuilt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config

_THREADS_INSTEAD = "use worker_class = 'gthread' with threads (--threads)"

_BUILT = ("rgunicorn.workers.sync.SyncWorker", "rgunicorn.workers.gthread.ThreadWorker")

_BY_MODULE = {
    "rgunicorn.workers.base_async": Unbuilt("greenlet workers", _THREADS_INSTEAD),
    "rgunicorn.workers.ggevent": Unbuilt("the gevent worker", _THREADS_INSTEAD),
    "rgunicorn.workers.gtornado": Unbuilt(
        "the tornado worker", "serve a Tornado application by Tornado's own HTTPServer"
    ),
    "rgunicorn.workers.gasgi": Unbuilt(
        "the asgi worker", "serve an ASGI application by uvicorn or by Gunicorn"
    ),
}
_EVENTLET = Unbuilt("the eventlet worker, which Gunicorn has removed", _THREADS_INSTEAD)
_NO_WORKER = Unbuilt(
    "a worker that is no subclass of gunicorn.workers.base.Worker",
    "derive the class from it",
)


def refuse_unbuilt(cfg: Config) -> None:
    """Checks that everything the configuration uses is there.

    Raises:
        ConfigError: a value needs something that is not built; one line for each, with the
            setting, the value and what to use instead.
        RuntimeError: the worker class can not be loaded.
    """
    refusals = []
    for setting in sorted(cfg.settings.values(), key=lambda setting: setting.order):
        missing = setting.unbuilt_use(cfg)
        if missing is not None:
            refusals.append(
                f"{setting.name} = {_shown(setting.get())} needs {missing.feature}, which "
                f"rgunicorn {__version__} does not have yet: {missing.instead}."
            )
    if refusals:
        raise ConfigError("\n".join(refusals))


def unbuilt_worker(uri: Any) -> Unbuilt | None:
    """What is missing for a value of `worker_class`; None when it can be used.

    Raises:
        RuntimeError: the class can not be loaded.
    """
    if isinstance(uri, str):
        from rgunicorn.workers import SUPPORTED_WORKERS

        alias = uri.lstrip("#")
        # Programs in the wild put classes of their own behind the aliases.
        dotted = own_name(SUPPORTED_WORKERS.get(alias, uri))
        if dotted in _BUILT:
            # The arbiter is going to load it; no need to do so before.
            return None
        if dotted == "eventlet":
            return _EVENTLET
        module = dotted.rpartition(".")[0]
        if module in _BY_MODULE:
            return _BY_MODULE[module]

    try:
        worker = util.load_class(uri)
    except RuntimeError as exc:
        # Somebody's subclass of a worker that is not there.
        missing = _BY_MODULE.get(own_name(getattr(exc.__cause__, "name", None) or ""))
        if missing is None:
            raise
        return missing

    from rgunicorn.workers.base import Worker

    return None if isinstance(worker, type) and issubclass(worker, Worker) else _NO_WORKER


def _shown(value: Any) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
