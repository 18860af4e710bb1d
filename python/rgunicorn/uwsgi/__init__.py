"""The names of the uwsgi side that hooks, loggers and worker classes import. The core parses."""

from __future__ import annotations

from rgunicorn.uwsgi.errors import (
    ForbiddenUWSGIRequest,
    InvalidUWSGIHeader,
    UnsupportedModifier,
    UWSGIParseException,
)
from rgunicorn.uwsgi.message import UWSGIRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.uwsgi.parser import UWSGIParser

__all__ = [
    "ForbiddenUWSGIRequest",
    "InvalidUWSGIHeader",
    "UWSGIParseException",
    "UWSGIParser",
    "UWSGIRequest",
    "UnsupportedModifier",
]


def __getattr__(name: str) -> Any:
    # The native workers never need it.
    if name == "UWSGIParser":
        from rgunicorn.uwsgi.parser import UWSGIParser

        return UWSGIParser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
