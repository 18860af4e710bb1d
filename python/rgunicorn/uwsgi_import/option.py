"""`Option`: one line of a uWSGI configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Words that switch a flag of uWSGI off; every other value, and none, switches it on.
_OFF = ("false", "off", "no", "0")


class Unreadable(Exception):
    """A configuration that can not be read; the text names file, line and reason."""


@dataclass(frozen=True)
class Place:
    """Where something stands."""

    file: str
    line: int
    """From 1; 0 where the format does not tell."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Option:
    """A name with its value, as uWSGI would see it."""

    name: str
    """With dashes, as uWSGI's options are written."""
    value: str | None
    """None: the name alone in XML or YAML, which means yes. In ini that is an empty text."""
    place: Place
    written: str
    """As in the file, before placeholders were filled in; one line."""
    unclear: str = ""
    """Why the value is not known here; empty if it is."""
    condition: str = ""
    """The condition under which uWSGI takes the line, with its place; empty if always."""
    is_fixed: bool = False
    """A placeholder by `set-placeholder`: uWSGI leaves its value as it is, until it is used."""
    notes: tuple[str, ...] = ()
    """What the reader should know of how the value came about."""

    @property
    def text(self) -> str:
        """The value; `1` for a name alone, as uWSGI's XML reader has it."""
        return "1" if self.value is None else self.value

    @property
    def is_on(self) -> bool:
        """The value as that of a flag."""
        return self.value is None or self.value.lower() not in _OFF

    @property
    def is_sure(self) -> bool:
        return not self.unclear and not self.condition

    def noted(self, note: str) -> Option:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))
