"""Shows each line of Python as it runs (the `spew` setting)."""

from __future__ import annotations

import linecache
import re
import sys
import threading
from collections.abc import Container
from types import FrameType
from typing import Any

__all__ = ["Spew", "spew", "unspew"]

_NAMES = re.compile(r"[^\W\d]\w*")


class Spew:
    """A trace function that prints `module:line: source`, and the values of the names in it.

    Args:
        trace_names: the modules to show; None is all.
        show_values: whether a second line gives each name's value.
    """

    def __init__(self, trace_names: Container[str] | None = None, show_values: bool = True) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Spew:
        if event == "line":
            self._show(frame)
        return self

    def _show(self, frame: FrameType) -> None:
        module = frame.f_globals.get("__name__", "[unknown]")
        if self.trace_names is not None and module not in self.trace_names:
            return

        # With the globals, linecache asks the module's loader when there is no such file.
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
        if not source:
            source = f"[no source of {frame.f_code.co_name}, instruction {frame.f_lasti}]"
        print(f"{module}:{frame.f_lineno}: {source.rstrip()}")

        if not self.show_values:
            return
        scope = {**frame.f_globals, **frame.f_locals}
        names = dict.fromkeys(_NAMES.findall(source))
        values = [f"{name}={scope[name]!r}" for name in names if name in scope]
        if values:
            print("\t" + " ".join(values))


def spew(trace_names: Container[str] | None = None, show_values: bool = False) -> None:
    """Starts printing every line that this thread and threads made later run.

    Arguments as for `Spew`.
    """
    tracer = Spew(trace_names, show_values)
    # The application's threads of a gthread worker are made after this.
    threading.settrace(tracer)
    sys.settrace(tracer)


def unspew() -> None:
    """Stops what `spew` started; threads that run already go on printing."""
    threading.settrace(None)
    sys.settrace(None)
