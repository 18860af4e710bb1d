"""What can be wrong with a uwsgi packet, under Gunicorn's names.

The native workers refuse such a packet in the core: nothing there raises these.
"""

from __future__ import annotations


class UWSGIParseException(Exception):
    """A packet that is refused; `code` is the status of the answer."""

    code = 400


class InvalidUWSGIHeader(UWSGIParseException):
    """The packet can not be read. `msg` says where it ends too early, or what it lacks."""

    def __init__(self, msg: str = "") -> None:
        super().__init__(msg)
        self.msg = msg

    def __str__(self) -> str:
        return f"Invalid uWSGI header: {self.msg}"


class UnsupportedModifier(UWSGIParseException):
    """The packet is no WSGI request: its first byte, `modifier`, is not 0."""

    code = 501

    def __init__(self, modifier: int) -> None:
        super().__init__(modifier)
        self.modifier = modifier

    def __str__(self) -> str:
        return f"Unsupported uWSGI modifier1: {self.modifier}"


class ForbiddenUWSGIRequest(UWSGIParseException):
    """`host` is not in `uwsgi_allow_ips`."""

    code = 403

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"uWSGI request from {self.host!r} not allowed"
