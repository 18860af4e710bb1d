"""Files that are served without the application: `static_map`."""

from __future__ import annotations

import os.path

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.option import Option, Place
from rgunicorn.uwsgi_import.values import Made, Unfit, text

_THERE = "The directories must be there when the server starts."
_FILE = "`static_map` serves directories, this is a single file"


def statics(given: Given, draft: Draft) -> None:
    """Puts `static_map`, in the order in which uWSGI looks."""
    seen: dict[str, Place] = {}
    for row, convert in (
        ("check-static", _checked),
        ("static-map", _mapped),
        ("static-map2", _appended),
    ):
        for option in given.all(row):
            made = converted(option, convert, draft)
            if made is None:
                continue
            prefix = made.value.partition("=")[0].rstrip("/")
            if prefix in seen:
                why = f"{seen[prefix]} has that prefix already, and each has one directory."
                draft.leave([option], Fate.MISSING, why, "one directory, or nginx's `try_files`")
                continue
            seen[prefix] = option.place
            draft.put("static_map", [made.value], [option], _THERE, made.note)
    if "static_map" in draft and given.all("route"):
        why = "Routes may have kept clients from some of these files: look at both together."
        draft.put("static_map", [], [], why)


def _checked(option: Option) -> Made:
    made = text(option)
    return Made(f"/={made.value}", made.note or "Every path is looked for in that directory first.")


def _mapped(option: Option) -> Made:
    prefix, directory, note = _pair(option)
    return Made(f"{prefix}={directory}", note)


def _appended(option: Option) -> Made:
    prefix, directory, note = _pair(option)
    return Made(f"{prefix}={os.path.join(directory, prefix.strip('/'))}", note)


def _pair(option: Option) -> tuple[str, str, str]:
    made = text(option)
    prefix, equals, directory = made.value.partition("=")
    if not equals or not directory.strip():
        raise Unfit(f"{option.text!r} is not PREFIX=DIR")
    if not prefix.startswith("/"):
        raise Unfit(f"{prefix!r} does not begin with a slash")
    if {"", ".", ".."} & set(prefix.rstrip("/").split("/")[1:]):
        raise Unfit(f"no path begins with {prefix!r}")
    if os.path.isfile(directory) or _looks_like_file(prefix, directory):
        raise Unfit(f"{_FILE}; let nginx serve it")
    return prefix, directory, made.note


def _looks_like_file(prefix: str, directory: str) -> bool:
    extension = os.path.splitext(prefix)[1]
    return bool(extension) and directory.endswith(extension)
