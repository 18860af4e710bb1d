"""Whether Rust may write access lines past Python's `logging`, and where to.

Only when nobody can tell the difference: our own Logger, untouched, with one plain handler of ours.
Whatever a subclass, a logging configuration or an instrumentation library has put in between makes
the answer no, and each request goes through `Logger.access`.
"""

from __future__ import annotations

import codecs
import inspect
import io
import logging
from types import FunctionType, ModuleType
from typing import Any

from rgunicorn import glogging, loghandlers

# What takes part in writing an access line. Somebody may have replaced any of it, on the class or
# on the object: meinheld assigns `Logger.access`, Sentry wraps `logging.Logger.callHandlers`.
_ACCESS_STEPS = (
    "access",
    "access_log_enabled",
    "access_choice",
    "atoms",
    "now",
    "_get_user",
    "_wants",
)
_LOG_STEPS = ("info", "isEnabledFor", "_log", "makeRecord", "handle", "filter", "callHandlers")
_HANDLER_STEPS = ("handle", "filter", "acquire", "emit", "format", "flush", "release")
_FORMATTER_STEPS = ("format", "formatMessage", "usesTime")
_RECORD_STEPS = ("__init__", "getMessage")


def stream_of(logger: glogging.Logger) -> io.TextIOWrapper | None:
    """The text stream to whose descriptor access lines may be written, or None."""
    log = logger.access_log
    if (
        not _untouched(logger, _ACCESS_STEPS, glogging)
        or logger.atoms_wrapper_class is not glogging.SafeAtoms
        or not logger.access_log_enabled
        or log.propagate
        or log.filters
        or len(log.handlers) != 1
        or not _untouched(log, _LOG_STEPS, logging)
        or not log.isEnabledFor(logging.INFO)
        or logging.getLogRecordFactory() is not logging.LogRecord
        or not _untouched(logging.LogRecord, _RECORD_STEPS, logging)
    ):
        return None
    return _stream_of_handler(log.handlers[0])


def _stream_of_handler(handler: logging.Handler) -> io.TextIOWrapper | None:
    formatter = handler.formatter
    if (
        not isinstance(handler, logging.StreamHandler)
        or type(handler) not in (logging.StreamHandler, logging.FileHandler)
        or not loghandlers.is_ours(handler)
        or handler.filters
        or handler.level > logging.INFO
        or handler.terminator != "\n"
        or not _untouched(handler, _HANDLER_STEPS, logging)
        or formatter is None
        or formatter._fmt != "%(message)s"
        or not _untouched(formatter, _FORMATTER_STEPS, logging)
    ):
        return None
    return handler.stream if _is_utf8_file(handler.stream) else None


def _is_utf8_file(stream: Any) -> bool:
    """Whether UTF-8 written to its descriptor is what writing the text would have given."""
    if type(stream) is not io.TextIOWrapper or stream.closed:
        return False
    try:
        stream.fileno()
    except io.UnsupportedOperation:
        return False
    return codecs.lookup(stream.encoding).name == "utf-8"


def _untouched(owner: object, names: tuple[str, ...], module: ModuleType) -> bool:
    """Whether what `owner` has under `names` are functions that `module` itself defines."""
    for name in names:
        step = inspect.getattr_static(owner, name)
        if isinstance(step, property):
            step = step.fget
        # A wrapper made with functools.wraps copies the name and the module, not the globals.
        if type(step) is not FunctionType or step.__globals__ is not vars(module):
            return False
    return True
