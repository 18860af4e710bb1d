"""The names of the HTTP side that hooks, loggers, applications and worker classes import."""

from __future__ import annotations

from rgunicorn.http import errors
from rgunicorn.http.message import Message, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.http.parser import Parser, RequestParser

__all__ = ["Message", "Request", "RequestParser", "errors", "get_parser"]


def get_parser(cfg: Any, source: Any, source_addr: Any, http2_connection: bool = False) -> Parser:
    """The parser for a connection, as the setting `protocol` says; arguments as for
    `RequestParser`.

    Raises:
        ConfigError: HTTP/2, which is not built.
    """
    if http2_connection:
        from rgunicorn.errors import ConfigError

        raise ConfigError("HTTP/2 is not built: let a proxy speak it and pass on HTTP/1.1")
    if cfg.protocol == "uwsgi":
        from rgunicorn.uwsgi.parser import UWSGIParser

        return UWSGIParser(cfg, source, source_addr)
    from rgunicorn.http.parser import RequestParser

    return RequestParser(cfg, source, source_addr)


def __getattr__(name: str) -> Any:
    # The native workers never need it.
    if name == "RequestParser":
        from rgunicorn.http.parser import RequestParser

        return RequestParser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
