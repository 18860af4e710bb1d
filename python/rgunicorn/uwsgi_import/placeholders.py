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
            if each.value is None or each.unclear or each.is_fixed:
                continue
            try:
                value, notes = _replaced(each.value, symbol, lookup)
                filled[index] = replace(each, value=value, notes=(*each.notes, *notes))
            except _Unclear as exc:
                filled[index] = replace(each, unclear=str(exc))
    return filled, used


def _replaced(value: str, symbol: str, lookup: _Lookup) -> tuple[str, list[str]]:
    """The value with what stands in its places. As in uWSGI, the innermost place comes first, one
    that leads nowhere is left as it is, and what was put in is looked through again, but for the
    first character of all."""
    notes: list[str] = []
    start = 0
    for _ in range(_MOST):
        place = _next_place(value, symbol, start)
        if place is None:
            return value, notes
        begin, end = place
        found = lookup(value[begin:end])
        if found is None:
            start = end + 1
            continue
        text, note = found
        value = value[: begin - 2] + text + value[end + 1 :]
        if len(value) > _LARGEST:
            break
        if note and note not in notes:
            notes.append(note)
        start = 1
    raise _Unclear("its placeholders lead round in a circle")


def _next_place(text: str, symbol: str, start: int) -> tuple[int, int] | None:
    """Where the next name in `symbol(...)` begins and ends, from `start` on."""
    begin, depth = -1, 0
    for at in range(start, len(text)):
        char = text[at]
        if char == symbol:
            begin = at + 2 if text[at + 1 : at + 2] == "(" else -1
            depth = 0
        elif begin < 0 or at < begin:
            continue
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif char == ")" and at > begin:
            return begin, at
        elif char == ")":
            begin = -1
    return None


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
