"""Finding the user's code: classes by dotted name or entry point, applications by app spec.

Everything here is called with names that users typed, so every failure is an error text about
their name, never a traceback through this package.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from types import FunctionType

from rgunicorn import _alias, _hints
from rgunicorn.errors import AppImportError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from typing import Any

# Frames of these files lead to the user's code and say nothing about it.
_OUR_FILES = (
    os.path.dirname(os.path.abspath(__file__)) + os.sep,
    os.path.dirname(os.path.abspath(importlib.__file__)) + os.sep,
    "<frozen importlib",
)


# Entry point group of worker classes.
WORKERS = "gunicorn.workers"


def load_class(
    uri: Any,
    default: str = "gunicorn.workers.sync.SyncWorker",
    section: str = WORKERS,
) -> Any:
    """The class that `uri` names.

    Args:
        uri: a class (returned as it is), `egg:DIST#NAME`, an alias of
            `rgunicorn.workers.SUPPORTED_WORKERS`, an entry point name of our own distribution,
            or a dotted path. Dotted paths into `gunicorn` lead to the same place in `rgunicorn`.
        default: entry point name used when `egg:DIST` has no `#NAME`.
        section: entry point group.

    Raises:
        RuntimeError: nothing there, or importing it failed; the text carries the traceback.
        ConfigError: its module says what it lacks.
    """
    if isinstance(uri, type):
        return uri
    try:
        return _find_class(uri, default, section)
    except ConfigError:
        raise
    except Exception as exc:
        trace = user_traceback(exc)
        hint = _hints.hint(uri, own_name(str(uri)), section, exc)
        raise RuntimeError(f"class uri {uri!r} invalid or not found: \n\n[{trace}]{hint}") from exc


def _find_class(uri: str, default: str, section: str) -> Any:
    if uri.startswith("egg:"):
        distribution, _, name = uri[len("egg:") :].rpartition("#")
        if not distribution:
            distribution, name = name, default
        return load_entry_point(distribution, section, name)

    if "." not in uri:
        from rgunicorn.workers import SUPPORTED_WORKERS

        alias = uri.lstrip("#")
        if alias not in SUPPORTED_WORKERS:
            return load_entry_point("gunicorn", section, alias)
        uri = SUPPORTED_WORKERS[alias]

    module, _, name = own_name(uri).rpartition(".")
    found = getattr(import_module(module), name)
    if module.startswith("rgunicorn.") and _alias.installed():
        # Agents look for `gunicorn.workers.ggevent` in `sys.modules`.
        import_module(module.removeprefix("r"))
    return found


def own_name(dotted: str) -> str:
    """`dotted` with a leading `gunicorn` package replaced by ours."""
    if dotted.partition(".")[0] == "gunicorn":
        return "r" + dotted
    return dotted


def load_entry_point(distribution: str, group: str, name: str) -> Any:
    """The object behind an entry point; the distribution `gunicorn` stands for ours.

    Raises:
        ImportError: no such distribution or entry point.
    """
    from importlib import metadata

    try:
        points = metadata.distribution(own_name(distribution)).entry_points
    except metadata.PackageNotFoundError:
        raise ImportError(f"No package {distribution!r} is installed") from None
    for point in points:
        if point.group == group and point.name == name:
            return point.load()
    raise ImportError(f"Entry point {(group, name)!r} not found")


def import_app(module: str) -> Any:
    """The application that an app spec names.

    Args:
        module: `MODULE`, `MODULE:NAME` or `MODULE:FACTORY(LITERALS)`; NAME is `application`
            when it is left out.

    Raises:
        AppImportError: the object part is malformed, missing, None or not callable, or the
            factory does not take these arguments.
        ImportError: the module can not be imported.
    """
    module, colon, obj = module.partition(":")
    if not colon:
        obj = "application"

    try:
        mod = import_module(module)
    except ImportError:
        if module.endswith(".py") and os.path.exists(module):
            stem = module.rpartition(".")[0]
            raise ImportError(f"Failed to find application, did you mean '{stem}:{obj}'?") from None
        raise

    name, arguments = _parse_object(obj)
    try:
        app = getattr(mod, name)
    except AttributeError as exc:
        _print_at_debug(exc)
        raise AppImportError(f"Failed to find attribute {name!r} in {module!r}.") from None

    if arguments is not None:
        app = _call_factory(app, *arguments)
    if app is None:
        raise AppImportError(f"Failed to find application object: {obj!r}")
    if not callable(app):
        raise AppImportError("Application object must be callable.")
    return app


def _parse_object(obj: str) -> tuple[str, tuple[list[Any], dict[str, Any]] | None]:
    """Name and, for a factory, positional and keyword arguments of the object part of a spec."""
    if obj.isascii() and obj.isidentifier() and not iskeyword(obj):
        # The usual case: spare every worker the parser, a megabyte of it.
        return obj, None

    import ast

    try:
        expression: ast.expr = ast.parse(obj, mode="eval").body
    except (SyntaxError, ValueError):
        # ValueError: a null byte, before Python 3.12.
        expression = ast.Constant(None)

    if isinstance(expression, ast.Name):
        return expression.id, None
    if not isinstance(expression, ast.Call):
        raise AppImportError(f"Failed to parse {obj!r} as an attribute name or function call.")
    if not isinstance(expression.func, ast.Name):
        raise AppImportError(f"Function reference must be a simple name: {obj!r}")

    try:
        args = [ast.literal_eval(arg) for arg in expression.args]
        kwargs = {
            # `**{...}` has no name and is no literal argument.
            _literal_keyword(keyword): ast.literal_eval(keyword.value)
            for keyword in expression.keywords
        }
    except (ValueError, TypeError):
        # TypeError: a literal that can not be built, as `{[]: 1}`.
        raise AppImportError(f"Failed to parse arguments as literal values: {obj!r}") from None
    return expression.func.id, (args, kwargs)


def _literal_keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("double-star argument")
    return keyword.arg


def _call_factory(factory: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return factory(*args, **kwargs)
    except TypeError as exc:
        # One frame (ours): the call itself was refused, so the spec is wrong. More frames: the
        # factory ran and failed by itself, and its traceback is what the user needs.
        if exc.__traceback__ is None or exc.__traceback__.tb_next is None:
            raise AppImportError(f"TypeError: {exc}") from None
        raise


def _print_at_debug(exc: BaseException) -> None:
    import logging

    if logging.root.level == logging.DEBUG:
        print(user_traceback(exc), end="", file=sys.stderr)


def get_arity(function: Callable[..., Any]) -> int:
    """How many positional parameters `function` has; `*args` counts as none."""
    if type(function) is FunctionType and not function.__dict__:
        # Importing `inspect` takes as long as the rest of the configuration; a function without
        # attributes has no __wrapped__ or __signature__ that could say otherwise.
        return function.__code__.co_argcount

    import inspect

    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(parameter.kind in positional for parameter in parameters)


def user_traceback(exc: BaseException) -> str:
    """The traceback of `exc` as text, from the first frame of the user's code on."""
    import traceback

    tb = exc.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OUR_FILES):
        tb = tb.tb_next
    return "".join(traceback.format_exception(type(exc), exc, tb))
