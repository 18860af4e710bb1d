"""What can be wrong with a request or a response: the names that applications catch.

The core decides; these classes carry its verdict into Python. ``str()`` of each is Gunicorn's.
"""

from __future__ import annotations


class ParseException(Exception):
    """A request that is refused, and the words to say so."""

    def __init__(self, subject: object = "") -> None:
        super().__init__(subject)
        self.subject = subject


class NoMoreData(OSError):
    """The client ended its side inside the body."""

    def __init__(self, buf: object = None) -> None:
        super().__init__()
        self.buf = buf

    def __str__(self) -> str:
        return f"No more data after: {self.buf!r}"


class _Worded(ParseException):
    """An exception whose text is a fixed lead and the offending thing."""

    lead = ""
    quoted = True

    def __str__(self) -> str:
        # The core has worded it already.
        if isinstance(self.subject, _Text):
            return str(self.subject)
        return f"{self.lead}{self.subject!r}" if self.quoted else f"{self.lead}{self.subject}"


class _Text(str):
    """A complete message."""

    __slots__ = ()


class ConfigurationProblem(_Worded):
    lead, quoted = "Configuration problem: ", False
    code = 500


class InvalidRequestLine(_Worded):
    lead = "Invalid HTTP request line: "
    code = 400


class InvalidRequestMethod(_Worded):
    lead = "Invalid HTTP method: "


class ExpectationFailed(_Worded):
    lead = "Unable to comply with expectation: "


class InvalidHTTPVersion(_Worded):
    lead = "Invalid HTTP Version: "


class InvalidHeader(_Worded):
    lead = "Invalid HTTP Header: "


class ObsoleteFolding(_Worded):
    lead = "Obsolete line folding is unacceptable: "


class InvalidHeaderName(_Worded):
    lead = "Invalid HTTP header name: "


class UnsupportedTransferCoding(_Worded):
    lead = "Unsupported transfer coding: "
    code = 501


class InvalidChunkSize(_Worded):
    lead = "Invalid chunk size: "
    code = 400


class ChunkMissingTerminator(_Worded):
    lead = "Invalid chunk terminator is not '\\r\\n': "
    code = 400


class InvalidChunkExtension(_Worded):
    lead, quoted = "Invalid chunk extension: ", False
    code = 400


class LimitRequestLine(ParseException):
    def __init__(self, size: object = 0, max_size: int | None = None) -> None:
        super().__init__(size)
        self.size = size
        self.max_size = max_size

    def __str__(self) -> str:
        # Without a maximum it is a whole message, such as the core's.
        if self.max_size is None:
            return str(self.size)
        return f"Request Line is too large ({self.size} > {self.max_size})"


class LimitRequestHeaders(_Worded):
    quoted = False


class InvalidProxyLine(_Worded):
    lead = "Invalid PROXY line: "
    code = 400


class InvalidProxyHeader(_Worded):
    lead, quoted = "Invalid PROXY header: ", False
    code = 400


class ForbiddenProxyRequest(ParseException):
    code = 403

    def __init__(self, host: object = "") -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        if isinstance(self.host, _Text):
            return str(self.host)
        return f"Proxy request from {self.host!r} not allowed"


class InvalidSchemeHeaders(ParseException):
    def __str__(self) -> str:
        return "Contradictory scheme headers"


class InvalidH2CPreface(ParseException):
    def __str__(self) -> str:
        return f"Expected HTTP/2 connection preface, got {self.subject!r}"


class InvalidResponseHeader(ParseException):
    """A response header value that must not reach the wire."""

    def __str__(self) -> str:
        return str(self.subject)


class InvalidResponseHeaderName(ParseException):
    """A response header name that is no token."""

    def __str__(self) -> str:
        return str(self.subject)


def worded(name: str, message: str) -> ParseException:
    """The exception class `name` of this module, with its whole text given by the core."""
    made: ParseException = globals()[name](_Text(message))
    return made
