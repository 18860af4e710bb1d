"""Tracing of every executed line, for the setting `spew`."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = ["Spew", "spew", "unspew"]


class Spew:
    """A trace function that prints `MODULE:LINE: SOURCE` to stdout.

    Args:
        trace_names: modules to print; None for all.
        show_values: also print the values of the variables that the line names.
    """

    def __init__(self, trace_names: Container[str] | None = None, show_values: bool = True) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Spew:
        if event == "line":
            self._line(frame)
        return self

    def _line(self, frame: FrameType) -> None:
        name = frame.f_globals.get("__name__", "[unknown]")
        if self.trace_names is not None and name not in self.trace_names:
            return

        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
        if not line:
            line = f"Unknown code named [{frame.f_code.co_name}].  VM instruction #{frame.f_lasti}"
        print(f"{name}:{frame.f_lineno}: {line.rstrip()}")
        if not self.show_values:
            return

        scopes = {**frame.f_globals, **frame.f_locals}
        values = [f"{word}={scopes[word]!r}" for word in re.findall(r"\w+", line) if word in scopes]
        if values:
            print("\t" + " ".join(values))


def spew(trace_names: Container[str] | None = None, show_values: bool = False) -> None:
    """Starts to print every line of Python that this thread executes."""
    sys.settrace(Spew(trace_names, show_values))


def unspew() -> None:
    """Stops printing."""
    sys.settrace(None)
