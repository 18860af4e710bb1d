"""The names of the HTTP side that hooks, loggers and applications import."""

from rgunicorn.http import errors
from rgunicorn.http.message import Message, Request

__all__ = ["Message", "Request", "errors"]
