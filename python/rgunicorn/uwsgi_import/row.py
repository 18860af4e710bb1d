"""`Row`: what becomes of some options of uWSGI. The tables are in `rows_*.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rgunicorn.uwsgi_import.draft import Fate
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.values import Made


@dataclass(frozen=True)
class Row:
    """Options that mean one thing, and what becomes of them."""

    names: tuple[str, ...]
    """The first stands for all; one that ends in `*` is every name that begins like it."""
    becomes: tuple[str, ...] = ()
    """Names of settings."""
    fate: Fate | None = None
    """None if it becomes a setting."""
    text: str = ""
    """What differs, or why there is no setting; sentences."""
    instead: str = ""
    convert: Callable[[Option], Made] | None = None
    """The value; None where a module looks at several options together."""

    @property
    def name(self) -> str:
        return self.names[0]


def one(names: str, setting: str, convert: Callable[[Option], Made], text: str = "") -> Row:
    """Options that become one setting.

    Args:
        names: separated by blanks.
        setting: its name.
        convert: makes the value; a list is collected from all the lines, of others the last counts.
        text: what differs.
    """
    return Row(tuple(names.split()), (setting,), None, text, "", convert)


def composed(names: str, settings: str, text: str = "") -> Row:
    """Options that become settings together with others. Arguments as of `one`."""
    return Row(tuple(names.split()), tuple(settings.split()), None, text)


def unneeded(names: str, why: str) -> Row:
    """Options that nobody misses. Arguments as of `one`."""
    return Row(tuple(names.split()), (), Fate.UNNEEDED, why)


def elsewhere(names: str, why: str, instead: str) -> Row:
    """Options whose work others do better. Arguments as of `one`."""
    return Row(tuple(names.split()), (), Fate.ELSEWHERE, why, instead)


def missing(names: str, why: str, instead: str = "") -> Row:
    """Options without an equivalent. Arguments as of `one`."""
    return Row(tuple(names.split()), (), Fate.MISSING, why, instead)
