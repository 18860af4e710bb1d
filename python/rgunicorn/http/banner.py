"""What the server calls itself: the `Server` field, and `SERVER_SOFTWARE`.

Config files change it in ways that work in Gunicorn: they assign `gunicorn.SERVER` or
`gunicorn.SERVER_SOFTWARE`, they assign the same names in `gunicorn.http.wsgi`, or they wrap
`gunicorn.http.wsgi.Response.default_headers`. Workers ask here once, when they start.
"""

from __future__ import annotations

import rgunicorn
from rgunicorn.http import wsgi
from rgunicorn.http.message import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.glogging import Logger

_FALLBACK = "rgunicorn"
_PATCHED = "gunicorn.http.wsgi.Response.default_headers is replaced"


def software() -> str:
    """The value of `SERVER_SOFTWARE`."""
    return str(assigned("SERVER_SOFTWARE"))


def server(log: Logger) -> str:
    """The value of the `Server` field, empty for no such field.

    Args:
        log: told of changes that can not be followed.
    """
    value = str(assigned("SERVER"))
    original: Any = wsgi.AT_FIRST["Response"]
    if not issubclass(wsgi.Response, original):
        # The native workers fill it in with methods that only ours has.
        log.warning("gunicorn.http.wsgi.Response is no subclass of what it replaces: not used")
        wsgi.Response = original  # type: ignore[misc]
    if wsgi.Response.default_headers is not wsgi.DEFAULT_HEADERS:
        value = _as_patched(value, log)
    if not value.isascii() or not value.isprintable():
        log.warning(
            "gunicorn.SERVER = %r can not be the value of a header field; sending %r",
            value,
            _FALLBACK,
        )
        return _FALLBACK
    return value


def assigned(name: str) -> Any:
    """What was assigned in `gunicorn.http.wsgi` counts; it is closer to the response."""
    here = getattr(wsgi, name)
    return getattr(rgunicorn, name) if here is wsgi.AT_FIRST[name] else here


def _as_patched(value: str, log: Logger) -> str:
    """`value` after the config file's own `default_headers`, as two different responses show it."""
    found = []
    for kept_alive in (False, True):
        response = _example(value, kept_alive)
        expected = wsgi.DEFAULT_HEADERS(response)
        try:
            lines = [str(line) for line in response.default_headers()]
        except Exception as exc:
            # It would fail for every response; Gunicorn answers nobody then.
            log.warning("%s, and fails: %r; not used", _PATCHED, exc)
            return value
        found.append([line for line in lines if _is_server(line)])
        if _others(lines) != _others(expected):
            log.warning("%s: only what it does to the Server line has an effect", _PATCHED)
    if found[0] != found[1] or len(found[0]) > 1:
        log.warning("%s, with a Server line that varies: not used", _PATCHED)
        return value
    return found[0][0].partition(":")[2].strip() if found[0] else ""


def _example(server: str, kept_alive: bool) -> Any:
    request = Request()
    request._keep_alive = kept_alive
    response = wsgi.Response(request)
    response.version = server
    response.status, response.status_code = (
        ("200 OK", 200) if kept_alive else ("404 Not Found", 404)
    )
    return response


def _is_server(line: str) -> bool:
    return line.lower().startswith("server:")


def _others(lines: list[str]) -> list[str]:
    # A date may change between two looks.
    return [
        line[:5] if line.startswith("Date:") else line for line in lines if not _is_server(line)
    ]
