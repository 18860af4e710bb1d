"""What to do about the name of a class that leads nowhere: the last line of such an error."""

from __future__ import annotations

import sys

from rgunicorn.workers import SUPPORTED_WORKERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Entry point groups, and the settings whose values are looked up there.
SETTINGS = {"gunicorn.workers": "worker_class", "gunicorn.loggers": "logger_class"}

# What `pip install` takes for the modules of worker classes in the wild.
_PACKAGES = {
    "uvicorn": "'uvicorn[standard]'",
    "uvicorn_worker": "uvicorn-worker",
    "aiohttp": "aiohttp",
    "geventwebsocket": "gevent-websocket",
    "gevent": "gevent",
    "tornado": "tornado",
}

# Worker classes that Gunicorn once had, and what took their place.
_GONE = {"rgunicorn.workers.gaiohttp": "aiohttp.GunicornWebWorker"}


def hint(uri: Any, own: str, section: str, exc: Exception) -> str:
    """A line that names the setting, its value and the cure; empty for groups of others.

    Args:
        uri: what the user wrote.
        own: the same with `gunicorn` replaced by our package.
        section: the entry point group in which a bare name was looked for.
        exc: why it can not be loaded.
    """
    setting = SETTINGS.get(section)
    if setting is None:
        return ""
    return f"\n{setting} = {uri!r}: {_cure(str(uri), own, setting, exc)}"


def _cure(uri: str, own: str, setting: str, exc: Exception) -> str:
    aliases = list(SUPPORTED_WORKERS) if setting == "worker_class" else []
    if uri.startswith("egg:"):
        name = uri.rpartition("#")[2]
        if name in aliases:
            return f"Did you mean {name!r}?"
        return "Install the package that has this entry point, or use the dotted name of a class."

    package, dot, wanted = uri.rpartition(".")
    if not dot:
        like = _like(wanted, aliases)
        if like is not None:
            return f"Did you mean {like!r}?"
        names = f"{', '.join(aliases)} or " if aliases else ""
        return f"Use {names}the dotted name of a class."

    module = own.rpartition(".")[0]
    if isinstance(exc, ModuleNotFoundError) and f"{module}.".startswith(f"{exc.name}."):
        if module in _GONE:
            return f"Gunicorn has removed it; use {_GONE[module]!r}."
        if exc.name in _PACKAGES:
            return f"Install it with `pip install {_PACKAGES[exc.name]}`, in the same environment."
        return (
            f"Correct the name, install the package that has {exc.name!r} in the same "
            "environment, or add its directory to pythonpath."
        )
    found = sys.modules.get(module)
    if found is not None and not hasattr(found, wanted):
        classes = (name for name, value in vars(found).items() if isinstance(value, type))
        like = _like(wanted, classes)
        if like is not None:
            return f"Did you mean {package + dot + like!r}?"
        return f"{package!r} has no class of that name. Correct it."
    return "Its module can not be imported: mend what is named above."


def _like(wanted: str, known: Iterable[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(wanted, list(known), n=1)), None)
