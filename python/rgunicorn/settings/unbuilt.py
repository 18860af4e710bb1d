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

_EVENTLET = Unbuilt("the eventlet worker, which Gunicorn has removed", _THREADS_INSTEAD)
_NO_WORKER = Unbuilt(
    "a worker that is no subclass of gunicorn.workers.base.Worker",
    "derive the class from it",
)
_OTHER_WORKER = Unbuilt(
    "the real Gunicorn, whose Worker it derives from: in this process `gunicorn` is not rgunicorn",
    "remove RGUNICORN_ALIAS=0 from the environment, or import gunicorn only after rgunicorn has "
    "started",
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
    refusals += _refused_by_worker(cfg)
    if refusals:
        raise ConfigError("\n".join(refusals))


def _refused_by_worker(cfg: Config) -> list[str]:
    """What the worker class can not do of the rest of the configuration."""
    uri = cfg.settings["worker_class"].get()
    if _dotted(uri) in _BUILT or cfg.settings["worker_class"].unbuilt_use(cfg) is not None:
        return []
    refusals = getattr(util.load_class(uri), "refusals", None)
    return refusals(cfg) if refusals is not None else []


def unbuilt_worker(uri: Any) -> Unbuilt | None:
    """What is missing for a value of `worker_class`; None when it can be used.

    Raises:
        RuntimeError: the class can not be loaded.
    """
    dotted = _dotted(uri)
    if dotted in _BUILT:
        # The arbiter is going to load it; no need to do so before.
        return None
    if dotted == "eventlet":
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


def leaves_requests_to_core(uri: Any) -> bool:
    """Whether a value of `worker_class` is sync, gthread or derived from one of them.

    A value that is refused for its own sake counts as such, and a class that says itself what it
    can not do: one refusal is enough.
    """
    if _dotted(uri) in _BUILT or unbuilt_worker(uri) is not None:
        return True
    worker = util.load_class(uri)
    names = (f"{base.__module__}.{base.__qualname__}" for base in worker.__mro__)
    return hasattr(worker, "refusals") or any(name in _BUILT for name in names)


def _shown(value: Any) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
