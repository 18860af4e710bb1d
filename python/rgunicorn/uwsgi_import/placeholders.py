"""Placeholders: `$(ENV)`, `@(file)` and `%(option)`, filled in as uWSGI does, one kind after the
other over all options. Programs and addresses that `@(scheme://...)` names are never touched."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

from rgunicorn.uwsgi_import.option import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A value that refers to itself would grow for ever.
_LARGEST = 65536
_MOST = 1000

_NUMBER = re.compile(r"\s*([+-]?\d{1,18})")

# From the name in the parentheses to its value, with a note; or None to leave the text alone.
_Lookup = Callable[[str], "tuple[str, str] | None"]


class _Unclear(Exception):
    """Why a value can not be known."""


def fill_in(options: Sequence[Option], environ: Mapping[str, str]) -> tuple[list[Option], set[str]]:
    """The options with their values as uWSGI would see them.

    Args:
        options: of all files, in their order.
        environ: for `$(NAME)`.

    Returns:
        the options, and the names that `%(...)` has taken from among them.
    """
    filled = list(options)
    used: set[str] = set()

    def variable(name: str) -> tuple[str, str] | None:
        if name in environ:
            return environ[name], f"$({name}) is what the environment variable was at the import."
        raise _Unclear(f"the environment variable {name} is not set here")

    def option(name: str) -> tuple[str, str] | None:
        used.update(name.split(" "))
        return _computed(name, filled)

    passes: tuple[tuple[str, _Lookup], ...] = (("$", variable), ("@", _content), ("%", option))
    for symbol, lookup in passes:
        for index, each in enumerate(filled):
            if each.value is None or each.unclear or f"{symbol}(" not in each.value:
                continue
            try:
                value, notes = _replaced(each.value, symbol, lookup)
                filled[index] = replace(each, value=value, notes=(*each.notes, *notes))
            except _Unclear as exc:
                filled[index] = replace(each, unclear=str(exc))
    return filled, used


def _replaced(value: str, symbol: str, lookup: _Lookup) -> tuple[str, list[str]]:
    """What is put in may hold further placeholders of the same kind; one that leads nowhere is
    left as it is."""
    notes: list[str] = []
    start = 0
    for _ in range(_MOST):
        start = value.find(f"{symbol}(", start)
        end = _closing(value, start + 2) if start >= 0 else -1
        if end < 0:
            return value, notes
        found = lookup(value[start + 2 : end])
        if found is None:
            start += 2
            continue
        text, note = found
        value = value[:start] + text + value[end + 1 :]
        if len(value) > _LARGEST:
            break
        if note and note not in notes:
            notes.append(note)
    raise _Unclear("its placeholders lead round in a circle")


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        if text[at] == "(":
            depth += 1
        elif text[at] == ")":
            if not depth:
                return at if at > start else -1
            depth -= 1
    return -1


def _content(name: str) -> tuple[str, str] | None:
    if "://" in name:
        scheme = name.partition("://")[0]
        raise _Unclear(f"@({scheme}://...) is not followed: nothing is run or fetched")
    try:
        # Neither a pipe nor a device: those would block, or have no end.
        if not os.path.isfile(name):
            raise _Unclear(f"there is no file {name} here")
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, ValueError) as exc:
        raise _Unclear(f"{name} can not be read: {exc}") from None
    return text.rstrip("\n"), f"@({name}) is what the file held at the import."


def _value_of(name: str, options: Sequence[Option]) -> str | None:
    for option in options:
        if option.name == name:
            if not option.is_sure:
                raise _Unclear(option.unclear or f"{name} depends on {option.condition}")
            return "true" if option.value is None else option.value
    return None


def _computed(name: str, options: Sequence[Option]) -> tuple[str, str] | None:
    """The value of an option, or of a computation with blanks between its words, left to right."""
    if " " not in name:
        value = _value_of(name, options)
        return None if value is None else (value, "")
    result, operator = "", ""
    for word in name.split(" "):
        if word in ("+", "-", "*", "/"):
            operator = word
        elif word in ("++", "--"):
            result = str(_number(result) + (1 if word == "++" else -1))
            operator = ""
        elif word:
            value = word if word.isdigit() else _value_of(word, options) or ""
            result, operator = _operated(result, operator, value), ""
    return result, ""


def _operated(left: str, operator: str, right: str) -> str:
    if not operator:
        return left + right
    a, b = _number(left), _number(right)
    if operator == "+":
        return str(a + b)
    if operator == "-":
        return str(a - b)
    if operator == "*":
        return str(a * b)
    # C's division, which cuts towards zero; uWSGI makes 0 of a division by zero.
    quotient = abs(a) // abs(b) if b else 0
    return str(quotient if (a < 0) == (b < 0) else -quotient)


def _number(text: str) -> int:
    match = _NUMBER.match(text)
    return int(match[1]) if match else 0
