"""From `log-format` of uWSGI to `access_log_format`."""

from __future__ import annotations

import re

# What stands for the same, or for nearly the same with what differs.
_ATOMS = {
    "addr": "%(h)s",
    "method": "%(m)s",
    "uri": "%({raw_uri}e)s",
    "proto": "%(H)s",
    "host": "%({host}i)s",
    "user": "%({remote_user}e)s",
    "uagent": "%(a)s",
    "referer": "%(f)s",
    "status": "%(s)s",
    "micros": "%(D)s",
    "msecs": "%(M)s",
    "secs": "%(T)s",
    "rsize": "%(B)s",
    # The time of uWSGI has no brackets of its own, so formats put them around it.
    "[ltime]": "%(t)s",
    "cl": "%({content-length}i)s",
}
_NEARLY = {
    "size": ("%(B)s", "%(size) counts the headers too, %(B)s does not"),
    "ltime": ("%(t)s", "%(t)s has brackets around the time"),
    "ctime": ("%(t)s", "%(t)s is written as [21/Nov/2026:18:00:00 +0000]"),
    "ftime": ("%(t)s", "%(t)s is written as [21/Nov/2026:18:00:00 +0000]"),
    "pid": ("%(p)s", "%(p)s has angle brackets around the number"),
    "wid": ("%({rgunicorn.worker_slot}e)s", "slots of workers count from 0"),
}
_VARIABLE = re.compile(r"%\(([^()]*)\)")


def translated(text: str, forwarded: bool) -> tuple[str, list[str]]:
    """A format for the access log.

    Args:
        text: as uWSGI takes it.
        forwarded: put the first address of X-Forwarded-For where the peer's is.

    Returns:
        the format, and what differs, one sentence each.
    """
    notes: list[str] = []
    unknown: list[str] = []

    def atom(match: re.Match[str]) -> str:
        name = match[1]
        if name == "addr" and forwarded:
            return "%({x-forwarded-for}i)s"
        if name in _ATOMS:
            return _ATOMS[name]
        if name in _NEARLY:
            notes.append(f"{_NEARLY[name][1]}.")
            return _NEARLY[name][0]
        if re.fullmatch(r"var\.[\w.-]+", name, re.ASCII):
            return f"%({{{name[4:].lower()}}}e)s"
        unknown.append(match[0])
        return "-"

    pieces = []
    end = 0
    text = text.replace("[%(ltime)]", "%([ltime])")
    for match in _VARIABLE.finditer(text):
        pieces.append(text[end : match.start()].replace("%", "%%"))
        pieces.append(atom(match))
        end = match.end()
    pieces.append(text[end:].replace("%", "%%"))
    notes = list(dict.fromkeys(notes))
    if unknown:
        names = ", ".join(dict.fromkeys(unknown))
        notes.append(f"There is nothing for {names}: a dash stands there.")
    return "".join(pieces), notes
