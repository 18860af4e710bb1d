"""ASGI, and the choice of a request parser."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import lower, one_of, validate_pos_int, validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def validate_asgi_loop(val: Any) -> str:
    """auto, asyncio or uvloop."""
    words = ("auto", "asyncio", "uvloop")
    return "auto" if val is None else one_of(lower(val), words, "ASGI loop")


def validate_asgi_lifespan(val: Any) -> str:
    """auto, on or off."""
    words = ("auto", "on", "off")
    return "auto" if val is None else one_of(lower(val), words, "ASGI lifespan")


def validate_http_parser(val: Any) -> str:
    """auto, fast or python."""
    if val is None:
        return "auto"
    if not isinstance(val, str):
        raise TypeError("http_parser must be a string")
    word = val.lower().strip()
    if word not in ("auto", "fast", "python"):
        raise ValueError("http_parser must be one of: auto, fast, python")
    return word


class ASGILoop(Setting):
    name = "asgi_loop"
    section = "Worker Processes"
    cli = ["--asgi-loop"]
    meta = "STRING"
    validator = validate_asgi_loop
    default = "auto"
    desc = """\
        Event loop of the asgi worker: `auto`, `asyncio` or `uvloop`.

        `auto` is uvloop where that package is installed. `uvloop` without it is refused.
        """


class ASGILifespan(Setting):
    name = "asgi_lifespan"
    section = "Worker Processes"
    cli = ["--asgi-lifespan"]
    meta = "STRING"
    validator = validate_asgi_lifespan
    default = "auto"
    desc = """\
        Whether the asgi worker speaks the lifespan protocol: `auto`, `on` or `off`.

        With `auto` an application that fails in it is served without. One that answers
        `lifespan.startup.failed` ends the server, with exit code 3.
        """


class ASGIDisconnectGracePeriod(Setting):
    name = "asgi_disconnect_grace_period"
    section = "Worker Processes"
    cli = ["--asgi-disconnect-grace-period"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 3
    desc = """\
        Seconds that an ASGI application may go on after its client has left.

        It gets `http.disconnect` at once if it asks, and is cancelled when the time is over. For
        the asgi worker; WebSocket connections have their own ways to end.
        """


class WebSocketMaxMessageSize(Setting):
    name = "websocket_max_message_size"
    section = "Worker Processes"
    cli = ["--websocket-max-message-size"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 16777216
    desc = """\
        Largest WebSocket message in bytes that the asgi worker accepts; 0 for any size.
        """


class HttpParser(Setting):
    name = "http_parser"
    section = "Worker Processes"
    cli = ["--http-parser"]
    meta = "STRING"
    validator = validate_http_parser
    default = "auto"
    desc = """\
        Request parser; there is one here, in Rust, for every value.

        Gunicorn chooses between a parser in Python (`python`) and one in C (`fast`), or takes what
        is installed (`auto`). rgunicorn's own parser follows the rules of Gunicorn's Python parser
        and needs no package for `fast`.
        """


class RootPath(Setting):
    name = "root_path"
    section = "Server Mechanics"
    cli = ["--root-path"]
    meta = "STRING"
    validator = validate_string
    default = ""
    desc = """\
        The path under which an ASGI application is mounted: `root_path` of its scope.

        For the asgi worker. A WSGI application is told by the environment variable SCRIPT_NAME or
        by the proxy (see `forwarder_headers`).
        """
