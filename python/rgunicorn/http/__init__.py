"""The names of the HTTP side that hooks, loggers, applications and worker classes import."""

from __future__ import annotations

from rgunicorn.http import errors
from rgunicorn.http.message import Message, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.http.parser import RequestParser

__all__ = ["Message", "Request", "RequestParser", "errors", "get_parser"]


def get_parser(
    cfg: Any, source: Any, source_addr: Any, http2_connection: bool = False
) -> RequestParser:
    """The parser for a connection; arguments as for `RequestParser`.

    Raises:
        ConfigError: HTTP/2, or a protocol that only the native workers speak.
    """
    from rgunicorn.errors import ConfigError
    from rgunicorn.http.parser import RequestParser

    if http2_connection or cfg.protocol == "uwsgi":
        asked = "HTTP/2" if http2_connection else f"protocol = {cfg.protocol!r}"
        raise ConfigError(f"{asked} is not for Python workers: use worker_class sync or gthread")
    return RequestParser(cfg, source, source_addr)


def __getattr__(name: str) -> Any:
    # The native workers never need it.
    if name == "RequestParser":
        from rgunicorn.http.parser import RequestParser

        return RequestParser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
