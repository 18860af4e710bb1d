"""A request that came as a uwsgi packet, as hooks and custom loggers see it, and as worker classes
with a loop of their own read it."""

from __future__ import annotations

from rgunicorn.http.message import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class UWSGIRequest(Request):
    """As `Request`. `path` is PATH_INFO as the proxy sent it, decoded; `uwsgi_vars` (dict) holds
    all variables of the packet; both modifiers are 0 and of no use.

    Args: as for `Request`.

    Raises:
        UWSGIParseException: the packet can not be read, or its sender is not in `uwsgi_allow_ips`.
        ParseException: what it says of the request is refused. What could be read of it is its
            `req`, if the access log shall have a line.
        NoMoreData: the client ended its side inside the packet. Before it, `method` is empty.
    """

    is_uwsgi = True
    modifier1 = 0
    modifier2 = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.uwsgi_vars: dict[str, str] = {}
        # Those variables that go into the environ as they are.
        self.params: dict[str, str] = {}
        super().__init__(*args, **kwargs)

    def _take(self, facts: Any) -> None:
        super()._take(facts)
        for name in ("uwsgi_vars", "params", "path_info"):
            setattr(self, name, facts[name])

    def add_params(self, environ: dict[str, Any]) -> None:
        """What the proxy says goes before what the connection shows: the peer is only the proxy."""
        if "REMOTE_ADDR" in self.params and "REMOTE_PORT" not in self.params:
            # Another host's port.
            environ.pop("REMOTE_PORT", None)
        environ.update(self.params)
