"""The names of the uwsgi side that hooks and loggers import. The core parses."""

from rgunicorn.uwsgi.errors import (
    ForbiddenUWSGIRequest,
    InvalidUWSGIHeader,
    UnsupportedModifier,
    UWSGIParseException,
)
from rgunicorn.uwsgi.message import UWSGIRequest

__all__ = [
    "ForbiddenUWSGIRequest",
    "InvalidUWSGIHeader",
    "UWSGIParseException",
    "UWSGIRequest",
    "UnsupportedModifier",
]
