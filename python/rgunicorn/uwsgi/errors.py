"""What can be wrong with a uwsgi packet, under Gunicorn's names.

The core decides. The native workers answer without these; parsers in Python raise them.
"""

from __future__ import annotations


class UWSGIParseException(Exception):
    """A packet that is refused; `code` is the status of the answer."""

    code = 400

    # The core's words, when it raised this.
    _text: str | None = None

    def __str__(self) -> str:
        return self._words() if self._text is None else self._text

    def _words(self) -> str:
        return super().__str__()


class InvalidUWSGIHeader(UWSGIParseException):
    """The packet can not be read. `msg` says where it ends too early, or what it lacks."""

    def __init__(self, msg: str = "") -> None:
        super().__init__(msg)
        self.msg = msg

    def _words(self) -> str:
        return f"Invalid uWSGI header: {self.msg}"


class UnsupportedModifier(UWSGIParseException):
    """The packet is no WSGI request: its first byte, `modifier`, is not 0."""

    code = 501

    def __init__(self, modifier: int) -> None:
        super().__init__(modifier)
        self.modifier = modifier

    def _words(self) -> str:
        return f"Unsupported uWSGI modifier1: {self.modifier}"


class ForbiddenUWSGIRequest(UWSGIParseException):
    """`host` is not in `uwsgi_allow_ips`."""

    code = 403

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def _words(self) -> str:
        return f"uWSGI request from {self.host!r} not allowed"


def worded(name: str, subject: object, text: str) -> UWSGIParseException:
    """The exception class `name` of this module about `subject`, with its whole text given by the
    core."""
    made: UWSGIParseException = globals()[name](subject)
    made._text = text
    return made
