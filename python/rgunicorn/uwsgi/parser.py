"""The uwsgi packets of one connection, for worker classes with a loop of their own."""

from __future__ import annotations

from rgunicorn.http.parser import Parser
from rgunicorn.uwsgi.message import UWSGIRequest


class UWSGIParser(Parser):
    """Iterates over uwsgi packets; arguments and errors as for `Parser`, and as `UWSGIRequest`
    raises them."""

    mesg_class = UWSGIRequest
