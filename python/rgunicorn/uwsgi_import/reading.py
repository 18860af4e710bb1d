"""From a file, and those it includes, to the options that uWSGI would see."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, replace

from rgunicorn.uwsgi_import import ini, placeholders, trees, xmlfile
from rgunicorn.uwsgi_import.logic import Logic
from rgunicorn.uwsgi_import.magic import Magic
from rgunicorn.uwsgi_import.option import Option, Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FORMATS = ("ini", "xml", "yaml", "json")
_SUFFIXES = {
    ".ini": "ini",
    ".xml": "xml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".js": "json",
}
# Options that include a file at once, and the format they say; None: by the file's name.
_INCLUDES = {
    "ini": "ini",
    "xml": "xml",
    "xmlconfig": "xml",
    "yaml": "yaml",
    "yml": "yaml",
    "json": "json",
    "js": "json",
    "include": None,
    "config": None,
}
PLACEHOLDER = ("set-placeholder", "set-ph")

# Far more than anybody writes; a pipe or a device has no end.
_LARGEST = 1 << 20
_DEEPEST = 16
_MOST_FILES = 200
_MOST_OPTIONS = 20_000


@dataclass(frozen=True)
class Reading:
    """What a configuration says."""

    title: str
    """The file, with the section if one was asked for."""
    options: Sequence[Option]
    used: frozenset[str]
    """Names that `%(...)` has used, so they are placeholders if they are no options."""
    mode: int
    """Permissions of the file; 0o666 for standard input."""


def read(location: str, kind: str | None, environ: Mapping[str, str]) -> Reading:
    """Reads a configuration.

    Args:
        location: a path, `PATH:SECTION`, or `-` for standard input.
        kind: one of `FORMATS`; None to tell by the name, or by the text if that says nothing.
        environ: for `$(NAME)`.

    Raises:
        Unreadable: a file is not there or can not be understood.
    """
    reader = _Reader()
    options = reader.all_of(location, kind)
    filled, used = placeholders.fill_in(options, environ)
    return Reading(location, filled, frozenset(used), reader.mode)


class _Reader:
    def __init__(self) -> None:
        self.mode = 0o666
        self._logic = Logic()
        self._first: Magic | None = None
        self._last_ini = ""
        self._files = 0
        self._options = 0
        # What is being read just now: file and section.
        self._stack: list[tuple[str, str]] = []
        # Included by `inherit`: uWSGI reads those when all the rest has been read.
        self._later: list[Option] = []

    def all_of(self, location: str, kind: str | None) -> list[Option]:
        found = list(self._load(location, kind, None))
        while self._later:
            option = self._later.pop(0)
            found += self._load(option.text, None, option)
        return found

    def _load(self, location: str, kind: str | None, by: Option | None) -> Iterator[Option]:
        path, section = self._split(location, by)
        key = (os.path.realpath(path), section)
        if key in self._stack:
            raise Unreadable(f"{_where(by)}{location} includes itself")
        self._files += 1
        if len(self._stack) >= _DEEPEST or self._files > _MOST_FILES:
            raise Unreadable(f"{_where(by)}{location}: too many files include each other")
        raw = self._content(path, by)
        text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        magic = Magic(None if path == "-" else path, section, self._first)
        self._first = self._first or magic
        kind = kind or _SUFFIXES.get(os.path.splitext(path)[1].lower()) or _guess(text)
        self._stack.append(key)
        for option in self._parsed(kind, raw, text, path, section):
            value, notes, unclear = magic.fill_in(option.text)
            if kind == "ini":
                # uWSGI fills in first, and splits lines then.
                value = value.strip(ini.BLANKS)
            if option.value is not None:
                unclear = option.unclear or unclear
                option = replace(option, value=value, notes=tuple(notes), unclear=unclear)
            taken = self._logic.take(option)
            self._options += len(taken)
            if self._options > _MOST_OPTIONS:
                raise Unreadable(f"{option.place}: these are more than {_MOST_OPTIONS} options")
            for given in taken:
                yield from self._given(given)
        self._stack.pop()

    def _split(self, location: str, by: Option | None) -> tuple[str, str]:
        if location == "-" or (by is None and os.path.exists(location)):
            return location, ""
        path, _, section = location.rpartition(":") if ":" in location else (location, "", "")
        if not path and self._last_ini:
            path = self._last_ini
        if not path:
            raise Unreadable(f"{_where(by)}{location!r} names no file")
        return path, section

    def _content(self, path: str, by: Option | None) -> bytes:
        try:
            if path == "-":
                raw = sys.stdin.buffer.read(_LARGEST + 1)
            else:
                mode = os.stat(path).st_mode
                if stat.S_ISDIR(mode):
                    raise Unreadable(
                        f"{_where(by)}{path} is a directory: import each of its files by itself"
                    )
                if by is None:
                    self.mode = mode & 0o666
                with open(path, "rb") as file:
                    raw = file.read(_LARGEST + 1)
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise Unreadable(f"{_where(by)}{path}: {reason}") from None
        if len(raw) > _LARGEST:
            raise Unreadable(f"{_where(by)}{path}: it is larger than {_LARGEST} bytes")
        return raw

    def _parsed(self, kind: str, raw: bytes, text: str, path: str, section: str) -> list[Option]:
        name = "standard input" if path == "-" else path
        if kind == "xml":
            return xmlfile.read(raw, name, section or None)
        if kind == "json":
            return trees.read_json(text, name, section or "uwsgi")
        if kind == "yaml":
            return trees.read_yaml(text, name, section or "uwsgi")
        self._last_ini = path
        options = ini.read(text, name, section or "uwsgi")
        if options is None:
            raise Unreadable(f"{name}: there is nothing in a section [{section or 'uwsgi'}]")
        return options

    def _given(self, option: Option) -> Iterator[Option]:
        if not option.is_sure:
            yield option
        elif option.name in _INCLUDES or option.name == "inherit":
            if "://" in option.text:
                yield replace(option, unclear="it is no plain file, and nothing is run or fetched")
            elif option.name == "inherit":
                self._later.append(option)
            else:
                yield from self._load(option.text, _INCLUDES[option.name], option)
        elif option.name in (*PLACEHOLDER, "set"):
            name, equals, value = option.text.partition("=")
            if not equals:
                raise Unreadable(
                    f"{option.place}: {option.name} = {option.text!r} has no NAME=VALUE"
                )
            yield replace(option, name=name, value=value, is_fixed=option.name != "set")
        else:
            yield option


def _guess(text: str) -> str:
    start = text.lstrip()[:1]
    return {"<": "xml", "{": "json"}.get(start, "ini")


def _where(by: Option | None) -> str:
    return "" if by is None else f"{by.place}: {by.written}: "
