"""Which application: `wsgi_app`, `paste`, and where it is imported from."""

from __future__ import annotations

import os.path
import re

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.rows_settings import directories
from rgunicorn.uwsgi_import.values import Made, Unfit, text

_NAME = re.compile(r"[^\W\d]\w*(?:\(\))?")
_MODULE = re.compile(r"\w[\w-]*(?:\.\w[\w-]*)*")


def application(given: Given, draft: Draft) -> None:
    """Puts `wsgi_app`, `paste`, `pythonpath` and the SCRIPT_NAME of a mount."""
    callables = given.last("callable")
    apps = [*given.all("module"), *given.all("wsgi-file")]
    pastes = given.all("paste")
    mounts, manage = given.all("mount"), given.on("manage-script-name")
    section = given.last("paste-name")
    # As in uWSGI, what is imported by name comes first; a mount is one more application.
    chosen = apps[0] if apps else None
    draft.leave(apps[1:], Fate.MISSING, "A server has one application.", "a server for each")
    if pastes and chosen is None:
        _paste(pastes, section, draft)
        section = None
    elif chosen is None and len(mounts) == 1:
        _mount(mounts[0], manage, callables, draft)
        mounts, manage, callables = [], None, None
    elif chosen is not None:
        draft.leave(pastes, Fate.MISSING, "A server has one application.", "a server for each")
        if _app(chosen, chosen.text, callables, given, draft):
            callables = None
    draft.leave(
        mounts,
        Fate.ELSEWHERE,
        "A server has one application.",
        "a server for each with nginx's `location`, or DispatcherMiddleware of Werkzeug",
    )
    if manage is not None:
        why = "It belongs to mounts; SCRIPT_NAME comes from the proxy or from raw_env."
        draft.leave([manage], Fate.UNNEEDED, why)
    for option in (callables, section):
        if option is not None:
            draft.leave([option], Fate.OPEN, "There is no application that it belongs to.")
    for option in given.all("pythonpath"):
        made = converted(option, directories, draft)
        if made is not None:
            add_path(draft, made.value, [option], made.note)


def add_path(draft: Draft, directory: str, sources: list[Option], note: str = "") -> None:
    """Adds a directory to `pythonpath`, behind those that are there."""
    before = f"{draft.lines['pythonpath'].value}," if "pythonpath" in draft else ""
    draft.put("pythonpath", before + directory, sources, note)


def _app(option: Option, uri: str, callables: Option | None, given: Given, draft: Draft) -> bool:
    """Whether the name in `callables` has been used."""
    sources = [option] if callables is None else [option, callables]
    try:
        if option.name in ("wsgi-file", "file") or uri.endswith(".py"):
            module, directory, note = _file(uri, _directory(given))
            name = "application" if callables is None else callables.text
        else:
            module, colon, name = uri.partition(":")
            directory, note = "", ""
            if colon:
                sources = [option]
            else:
                name = "application" if callables is None else callables.text
            if not _MODULE.fullmatch(module):
                raise Unfit(f"{module!r} is no name of a module")
        if not _NAME.fullmatch(name):
            raise Unfit(f"{name!r} is no name in a module")
    except Unfit as exc:
        draft.leave(sources, Fate.OPEN, f"Not carried over: {exc}.", "set `wsgi_app`")
        return True
    draft.put("wsgi_app", f"{module}:{name}", sources, note)
    if directory:
        add_path(draft, directory, [option])
    return callables is not None and callables in sources


def _directory(given: Given) -> str:
    lines = given.all("chdir")
    return lines[-1].text if lines else ""


def _file(path: str, chdir: str) -> tuple[str, str, str]:
    """A module for a file: its name, the directory to import it from if there has to be one, and
    what is to be said."""
    stem, extension = os.path.splitext(path)
    if extension != ".py":
        raise Unfit(f"{path!r} is not called .py, so it can not be imported by name")
    stem = os.path.normpath(stem)
    if chdir and os.path.isabs(stem):
        below = os.path.relpath(stem, chdir)
        stem = stem if below.startswith("..") else below
    if os.path.isabs(stem):
        directory, module = os.path.split(stem)
    else:
        directory, module = "", stem.replace("/", ".")
    if not _MODULE.fullmatch(module) or "," in directory:
        raise Unfit(f"{path!r} has no name that can be imported")
    note = f"uWSGI runs the file itself; here it is imported as {module}."
    return module, directory, note


def _mount(option: Option, manage: Option | None, callables: Option | None, draft: Draft) -> None:
    point, _, uri = option.text.partition("=")
    given = Given({}, draft)
    if not uri:
        draft.leave([option], Fate.OPEN, "Not carried over: it has no PATH=APPLICATION.")
        return
    _app(option, uri, callables, given, draft)
    if point in ("", "/"):
        return
    if not point.startswith("/"):
        why = "It is for one host; the server answers for all of them."
        draft.leave([option], Fate.ELSEWHERE, why, "nginx's `server_name`")
    elif manage is None:
        why = "Without manage-script-name the proxy has to say SCRIPT_NAME, as before."
        draft.leave([option], Fate.ELSEWHERE, why, "`SCRIPT_NAME` in nginx's `uwsgi_param`")
    else:
        note = "Requests outside of that path are answered with 500."
        draft.put("raw_env", [f"SCRIPT_NAME={point.rstrip('/')}"], [option, manage], note)


def _paste(options: list[Option], section: Option | None, draft: Draft) -> None:
    *others, last = options
    draft.leave(others, Fate.UNNEEDED, f"{last.place} sets it again.")
    made = converted(last, _paste_file, draft)
    if made is None:
        return
    sources = [last] if section is None else [last, section]
    value = made.value if section is None else f"{made.value}#{section.text}"
    draft.put("paste", value, sources, "It needs the package PasteDeploy.")


def _paste_file(option: Option) -> Made:
    made = text(option)
    path = made.value.removeprefix("config:")
    if not path or ":" in path:
        raise Unfit(f"{option.text!r} is no file")
    return Made(path, made.note)
