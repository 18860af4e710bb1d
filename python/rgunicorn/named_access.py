"""`access_log_format = "json"` and `"logfmt"` for whoever logs through `Logger.access`.

The values are found here, in what a worker class has at hand; the line is made by the core
(`src/log/named.rs`), as it makes those that never come to Python.
"""

from __future__ import annotations

import time
from datetime import timedelta

from rgunicorn import _core
from rgunicorn.atoms import full_environ, known_request_id, pid_of, slot_of, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

STYLES = ("json", "logfmt")

# The atoms whose values have a name of their own, for loggers that make atoms in their own way.
_NAMES = {
    "h": "remote_addr",
    "u": "user",
    "m": "method",
    "U": "target",
    "q": "query",
    "H": "protocol",
    "f": "referer",
    "a": "user_agent",
}


def facts_of(
    resp: Any,
    req: Any,
    environ: Mapping[str, Any],
    request_time: timedelta,
    user_of: Callable[[Mapping[str, Any]], str | None],
) -> dict[str, Any]:
    """What `_core.access_line` makes a line of; arguments as for `atoms_of`."""
    environ = full_environ(req, environ)
    status = status_of(resp)
    sent = getattr(resp, "sent", None) if getattr(resp, "sent_is_known", True) else None
    return {
        "time_ns": time.time_ns(),
        "remote_addr": _text(environ.get("REMOTE_ADDR")),
        "user": user_of(environ),
        "method": _text(environ.get("REQUEST_METHOD")),
        "target": _text(environ.get("RAW_URI")),
        "query": _text(environ.get("QUERY_STRING")),
        "protocol": _text(environ.get("SERVER_PROTOCOL")),
        "status": status,
        "bytes": max(0, sent) if isinstance(sent, int) else None,
        "duration_us": max(0, request_time // timedelta(microseconds=1)),
        "queue_us": getattr(req, "queue_us", None),
        "referer": _text(environ.get("HTTP_REFERER")),
        "user_agent": _text(environ.get("HTTP_USER_AGENT")),
        "request_id": _text(known_request_id(req, environ)),
        "traceparent": _text(environ.get("HTTP_TRACEPARENT")),
        "pid": pid_of(req),
        "slot": slot_of(req),
    }


def line_of(style: str, facts: dict[str, Any]) -> str:
    """The line.

    Args:
        style: one of `STYLES`.
        facts: from `facts_of`.
    """
    return _core.access_line(style, facts)


def adopt(facts: dict[str, Any], own: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """Puts into `facts` what a subclass says otherwise than we: an address behind a proxy, a path
    without its secret.

    Args:
        own: the atoms of the subclass.
        usual: ours, of the same request.
    """
    for atom, name in _NAMES.items():
        value = own.get(atom)
        if value != usual.get(atom):
            facts[name] = None if value in (None, "-") else str(value)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
