"""From the options of uWSGI to a `Draft`."""

from __future__ import annotations

import os
from dataclasses import replace

from rgunicorn.config import KNOWN_SETTINGS
from rgunicorn.uwsgi_import.addresses import overlap
from rgunicorn.uwsgi_import.application import application
from rgunicorn.uwsgi_import.deadlines import deadlines
from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.logs import logs
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.processes import processes
from rgunicorn.uwsgi_import.row import Row
from rgunicorn.uwsgi_import.sockets import sockets
from rgunicorn.uwsgi_import.statics import statics
from rgunicorn.uwsgi_import.table import ROWS, find, similar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.uwsgi_import.reading import Reading

_UNDERSCORES = "uWSGI spells it with dashes and takes this for a placeholder: it did nothing there."
_TERM = (
    "TERM stops the server, and finishes requests that run. (uWSGI without die-on-term takes TERM "
    "for a reload.) HUP reloads; INT and QUIT stop at once."
)

# Settings whose value may be right on the machine that it is for and wrong on this one.
_OF_THE_MACHINE = {
    "user": "There is no such user on this machine.",
    "group": "There is no such group on this machine.",
    "chdir": "There is no such directory on this machine.",
    "unix_socket_owner": "There is no such user or group on this machine.",
}


def translate(reading: Reading) -> Draft:
    """What becomes of a configuration."""
    draft = Draft()
    known = _sorted(reading, draft)
    given = Given(known, draft)
    for compose in (sockets, application, processes, deadlines, statics, logs):
        compose(given, draft)
    _chain_reload(given, draft)
    for row in ROWS:
        if row.convert is not None:
            _carry(row, given, draft)
        elif row.fate is not None:
            _leave(row, given, draft)
    _set_apart(draft)
    _verify(draft)
    order = {option.place: index for index, option in enumerate(reading.options)}
    draft.left.sort(key=lambda left: order.get(left.option.place, len(order)))
    draft.remarks.append(_TERM)
    return draft


def _sorted(reading: Reading, draft: Draft) -> dict[str, list[Option]]:
    """The options that count, by the first name of their row; the others are noted."""
    known: dict[str, list[Option]] = {}
    for option in reading.options:
        row = find(option.name)
        dashed = option.name.replace("_", "-")
        if option.is_fixed or (row is None and option.name in reading.used):
            # A placeholder: its value is where it is used.
            continue
        if row is None and dashed != option.name and find(dashed) is not None:
            row = find(dashed)
            option = replace(option, name=dashed).noted(_UNDERSCORES)
        if row is None:
            near = similar(option.name)
            why = "uWSGI takes such a line for a placeholder, and nothing uses it."
            draft.leave([option], Fate.UNKNOWN, why, f"perhaps {near} is meant" if near else "")
        elif option.condition:
            why = f"It depends on {option.condition}."
            instead = "the file is Python: `if os.environ.get(...):` and the like"
            draft.leave([option], Fate.OPEN, why, instead)
        elif option.unclear and row.fate is None:
            draft.leave([option], Fate.OPEN, f"Its value is not known: {option.unclear}.")
        else:
            known.setdefault(row.name, []).append(option)
    return known


def _chain_reload(given: Given, draft: Draft) -> None:
    for option in given.all("touch-chain-reload"):
        if option.value:
            draft.put("touch_reload", [option.value], [option])
            note = "One worker after the other, also on HUP."
            draft.put("reload_strategy", "rolling", [option], note)
        else:
            draft.leave([option], Fate.OPEN, "Not carried over: it has no value.")


def _carry(row: Row, given: Given, draft: Draft) -> None:
    assert row.convert is not None
    setting = row.becomes[0]
    lines = given.all(row.name)
    values = []
    for option in lines:
        made = converted(option, row.convert, draft)
        if made is not None:
            values.append((option, made))
    if not values:
        return
    if isinstance(values[0][1].value, list):
        for option, made in values:
            draft.put(setting, made.value, [option], made.note)
        return
    *overruled, (option, made) = values
    why = f"{option.place} sets it again."
    draft.leave([one for one, _ in overruled], Fate.UNNEEDED, why)
    if made.value is False and setting != "sendfile":
        return
    draft.put(setting, made.value, [option], row.text, made.note)


def _leave(row: Row, given: Given, draft: Draft) -> None:
    assert row.fate is not None
    for option in given.all(row.name):
        if option.value is not None and option.value.lower() in ("false", "off", "no"):
            draft.leave([option], Fate.UNNEEDED, "It is off.")
        else:
            draft.leave([option], row.fate, row.text, row.instead)


def _set_apart(draft: Draft) -> None:
    """Takes the status pages out if they are where the application is served."""
    status = draft.lines.get("status_bind")
    if status is not None and "bind" in draft:
        clash = next((one for one in draft.lines["bind"].value if overlap(one, status.value)), None)
        if clash is not None:
            del draft.lines["status_bind"]
            why = f"Not carried over: the application is served at {clash}."
            draft.leave(status.sources, Fate.OPEN, why, "`status_bind` with another port")


def _verify(draft: Draft) -> None:
    """Takes out what the server would refuse, and says what may be right elsewhere only."""
    known = {setting.name: setting for setting in KNOWN_SETTINGS}
    for name, line in list(draft.lines.items()):
        try:
            known[name].validator(line.value)
        except Exception as exc:
            if name in _OF_THE_MACHINE:
                line.notes.append(_OF_THE_MACHINE[name])
                continue
            del draft.lines[name]
            draft.leave(line.sources, Fate.OPEN, f"{name} does not take it: {exc}.")


def virtualenv(reading: Reading) -> str | None:
    """The virtual environment that the file names."""
    homes = [
        option.value
        for option in reading.options
        if (row := find(option.name)) is not None and row.name == "home" and option.is_sure
    ]
    return os.path.normpath(homes[-1]) if homes and homes[-1] else None
