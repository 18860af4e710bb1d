"""A request that came as a uwsgi packet, as hooks and custom loggers see it."""

from __future__ import annotations

from rgunicorn.http.message import Request


class UWSGIRequest(Request):
    """As `Request`. `path` is PATH_INFO as the proxy sent it, decoded; `uwsgi_vars` (dict) holds
    all variables of the packet; both modifiers are 0 and of no use.
    """

    modifier1 = 0
    modifier2 = 0

    def __init__(self) -> None:
        super().__init__()
        self.uwsgi_vars: dict[str, str] = {}
