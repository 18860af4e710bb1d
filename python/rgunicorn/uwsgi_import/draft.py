"""`Draft`: the config file while it is made, and what could not be put into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from rgunicorn.uwsgi_import.option import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any


class Fate(Enum):
    """What becomes of an option that is no setting here; the value is a heading."""

    OPEN = "To be decided by hand"
    MISSING = "No equivalent"
    ELSEWHERE = "Done elsewhere"
    UNKNOWN = "No option of uWSGI that is known here"
    UNNEEDED = "Not needed, or without effect here"


@dataclass
class Line:
    """A setting with its value."""

    setting: str
    value: Any
    sources: list[Option]
    """The options it comes from; none where uWSGI's default differs from ours."""
    notes: list[str] = field(default_factory=list)
    active: bool = True
    """False: it is proposed, in a comment."""


@dataclass(frozen=True)
class Left:
    """An option that is not in the file."""

    option: Option
    fate: Fate
    why: str
    instead: str = ""


@dataclass
class Draft:
    """What is made of a configuration."""

    lines: dict[str, Line] = field(default_factory=dict)
    proposals: list[Line] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What the reader should know of the whole."""

    def put(self, setting: str, value: Any, sources: Sequence[Option], *notes: str) -> None:
        """Sets a setting; a list is added to the one that is there.

        Args:
            setting: its name.
            value: a str, int, bool, or list of str.
            sources: the options it comes from.
            notes: sentences on what differs.
        """
        line = self.lines.setdefault(setting, Line(setting, value, []))
        if line.value is not value:
            line.value = [*line.value, *value] if isinstance(value, list) else value
        line.sources += [option for option in sources if option not in line.sources]
        inherited = [note for option in sources for note in option.notes]
        for note in (*notes, *inherited):
            if note and note not in line.notes:
                line.notes.append(note)

    def propose(self, setting: str, value: Any, sources: Sequence[Option], *notes: str) -> None:
        """Writes a setting as a comment. Arguments as of `put`."""
        kept = [note for note in notes if note]
        self.proposals.append(Line(setting, value, list(sources), kept, active=False))

    def leave(self, options: Iterable[Option], fate: Fate, why: str, instead: str = "") -> None:
        """Notes that options are not in the file, and why."""
        self.left += [Left(option, fate, why, instead) for option in options]

    def __contains__(self, setting: str) -> bool:
        return setting in self.lines
