"""Reads lines of `access_log_format = "json"` and `"logfmt"`, as whoever collects logs would."""

from __future__ import annotations

import json
import re
from typing import Any

# After go-logfmt's decoder: a bare value ends at a blank and has no quote, a quoted one is a
# string of JSON.
_PAIR = re.compile(r'([^ ="]+)=(?:("(?:[^"\\]|\\.)*")|([^ ="]*))(?: |$)')

NUMBERS = ("status", "bytes", "duration", "queue_time", "pid", "slot")


def read(style: str, line: str) -> dict[str, Any]:
    """The values of a line by name; a name that comes twice is an error."""
    assert line.isascii() and line.isprintable(), line
    if style == "json":
        pairs = json.loads(line, object_pairs_hook=list)
    else:
        pairs, at = [], 0
        while at < len(line):
            match = _PAIR.match(line, at)
            assert match is not None, (line, at)
            value = json.loads(match[2]) if match[2] else match[3]
            is_number = not match[2] and match[1] in NUMBERS
            pairs.append((match[1], json.loads(value) if is_number else value))
            at = match.end()
    assert len(dict(pairs)) == len(pairs), line
    return dict(pairs)


def steady(style: str, line: str) -> str:
    """A line without what differs each time: times and the process."""
    changing = ("time", "duration", "queue_time", "pid")
    for name in changing:
        line = re.sub(
            rf'("{name}":)("[^"]*"|[0-9.]+)' if style == "json" else rf"(\b{name}=)[^ ]+",
            r"\1~",
            line,
            count=1,
        )
    return line
