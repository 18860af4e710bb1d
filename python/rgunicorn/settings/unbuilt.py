"""Refusing what is not built yet, and what a worker class can not do: better a message at boot than
a setting without effect."""

from __future__ import annotations

from rgunicorn import __version__, util
from rgunicorn._loading import own_name
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config

_BUILT = ("rgunicorn.workers.sync.SyncWorker", "rgunicorn.workers.gthread.ThreadWorker")

_EVENTLET = (
    "can not be used, as Gunicorn has removed this worker: use worker_class = 'gevent', or "
    "'gthread' with threads (--threads)."
)
_EVENTLETS = ("eventlet", "egg:gunicorn#eventlet")
_NO_WORKER = "is no subclass of gunicorn.workers.base.Worker: derive the class from it."
_OTHER_WORKER = (
    "derives from the Worker of the real Gunicorn, as in this process `gunicorn` is not "
    "rgunicorn: remove RGUNICORN_ALIAS=0 from the environment, or import gunicorn only after "
    "rgunicorn has started."
)


def refuse_unbuilt(cfg: Config) -> None:
    """Checks that everything the configuration uses is there.

    Raises:
        ConfigError: a value needs something that is not built, or that the worker class can not
            do; one line for each, with the setting, the value and what to use instead.
        RuntimeError: the worker class can not be loaded.
    """
    worker_class = cfg.settings["worker_class"].get()
    unfit = unfit_worker(worker_class)
    refusals = [] if unfit is None else [f"worker_class = {_shown(worker_class)} {unfit}"]
    for setting in sorted(cfg.settings.values(), key=lambda setting: setting.order):
        missing = setting.unbuilt_use(cfg)
        if missing is not None:
            refusals.append(
                f"{setting.name} = {_shown(setting.get())} needs {missing.feature}, which "
                f"rgunicorn {__version__} does not have yet: {missing.instead}."
            )
    if cfg.worker_keeper and cfg.is_ssl:
        refusals.append(
            "worker_keeper = True can not be used with certfile: the state of the encryption ends "
            "with the worker. Let a proxy speak TLS, or leave it off."
        )
    if unfit is None and _dotted(worker_class) not in _BUILT:
        # What the class can not do of the rest of the configuration.
        refusals += util.load_class(worker_class).refusals(cfg)
    if refusals:
        raise ConfigError("\n".join(refusals))


def unfit_worker(uri: Any) -> str | None:
    """Why a value of `worker_class` can not be used, and what to do; None when it can.

    Raises:
        RuntimeError: the class can not be loaded.
    """
    dotted = _dotted(uri)
    if dotted in _BUILT:
        # The arbiter is going to load it; no need to do so before.
        return None
    if dotted.rpartition(".")[0] == "rgunicorn.workers.geventlet" or dotted in _EVENTLETS:
        return _EVENTLET

    from rgunicorn.workers.base import Worker

    worker = util.load_class(uri)
    if isinstance(worker, type) and issubclass(worker, Worker):
        return None
    return _OTHER_WORKER if _is_of_gunicorn(worker) else _NO_WORKER


def _is_of_gunicorn(worker: Any) -> bool:
    """Whether it derives from the class of this name in the real Gunicorn."""
    bases = getattr(worker, "__mro__", ())
    return any((b.__module__, b.__name__) == ("gunicorn.workers.base", "Worker") for b in bases)


def _dotted(uri: Any) -> str:
    """The path of a class that is given by name; empty for a class."""
    if not isinstance(uri, str):
        return ""
    from rgunicorn.workers import SUPPORTED_WORKERS

    # Programs in the wild put classes of their own behind the aliases.
    return own_name(SUPPORTED_WORKERS.get(uri.lstrip("#"), uri))


def _shown(value: Any) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
