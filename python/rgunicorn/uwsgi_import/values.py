"""From the text of an option to a value, read as uWSGI reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rgunicorn.uwsgi_import.option import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NUMBER = re.compile(r"[ \t]*\+?(\d{1,15})(?!\d)", re.ASCII)
_MEGABYTES = re.compile(r"[ \t]*(\d{1,9}(?:\.\d{1,6})?)(?!\d)", re.ASCII)
_BEHIND = re.compile(r"[ \t][;#]")
_MIB = 1 << 20


class Unfit(Exception):
    """Why a value can not be carried over."""


class Off(Exception):
    """The value switches off what is off here too; the text says so."""


@dataclass(frozen=True)
class Made:
    """A value for a setting, with what is to be said of it."""

    value: Any
    note: str = ""


def number(option: Option) -> Made:
    """An int from 0 on: the digits at the start, as C's `strtol` takes them.

    Raises:
        Unfit: it does not begin with digits.
    """
    match = _NUMBER.match(option.text)
    if match is None:
        raise Unfit(f"{option.text!r} is no number, uWSGI reads 0")
    return Made(int(match[1]), _rest(option, match.end(), match[1]))


def positive(option: Option) -> Made:
    """A number above 0.

    Raises:
        Unfit: it is no number.
        Off: it is 0.
    """
    made = number(option)
    if not made.value:
        raise Off("0 is off, as it is here without the line.")
    return made


def megabytes(option: Option) -> Made:
    """A size that uWSGI counts in megabytes, as text such as `512M`, or in bytes.

    Raises:
        Unfit: it is no number.
        Off: it is 0.
    """
    match = _MEGABYTES.match(option.text)
    if match is None:
        raise Unfit(f"{option.text!r} is no number of megabytes")
    size = int(float(match[1]) * _MIB)
    if not size:
        raise Off("0 is off, as it is here without the line.")
    value = size if size % _MIB else f"{size // _MIB}M"
    return Made(value, _rest(option, match.end(), f"{match[1]} MB"))


def text(option: Option) -> Made:
    """A string that is not empty.

    Raises:
        Unfit: there is none.
    """
    if not option.value:
        raise Unfit("it has no value")
    if _BEHIND.search(option.value):
        note = "uWSGI has no comments behind a value: all of it is the value."
        return Made(option.value, note)
    return Made(option.value)


def path(option: Option) -> Made:
    """A path that uWSGI looks at before it changes its directory. Errors as of `text`."""
    made = text(option)
    if made.value.startswith("/") or made.note:
        return made
    return Made(made.value, "It is relative: to chdir here, in uWSGI to where that was started.")


def switch(option: Option) -> Made:
    """True.

    Raises:
        Off: the flag is off.
    """
    if not option.is_on:
        raise Off("It is off, as it is here without the line.")
    return Made(True)


def assignment(option: Option) -> Made:
    """NAME=VALUE, in a list.

    Raises:
        Unfit: it is none.
    """
    name, equals, _ = option.text.partition("=")
    if not name or not equals:
        raise Unfit(f"{option.text!r} has no NAME=VALUE")
    return Made([option.text])


def mode(option: Option) -> Made:
    """Permissions in octal, as text of three digits; the flag alone is 666.

    Raises:
        Unfit: it is something else, which uWSGI refuses as well.
    """
    digits = "666" if option.value in (None, "1") else option.text
    if not re.fullmatch(r"[0-7]{3}", digits, re.ASCII):
        raise Unfit(f"{option.text!r} is not three octal digits")
    return Made(digits)


def umask(option: Option) -> Made:
    """Permissions in octal, as an int. Errors as of `mode`."""
    if not re.fullmatch(r"[0-7]{3,4}", option.text, re.ASCII):
        raise Unfit(f"{option.text!r} is not three octal digits")
    return Made(int(option.text, 8))


def _rest(option: Option, end: int, taken: str) -> str:
    # A comment behind a number does no harm.
    rest = option.text[end:].strip()
    return "" if not rest or rest[0] in ";#" else f"uWSGI reads {taken} of {option.text!r}."
