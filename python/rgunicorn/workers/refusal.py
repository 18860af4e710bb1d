"""What a client is told when its request fails: status, reason and text of the error page."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """Answer to a request that is the client's mistake."""

    status: int
    reason: str
    # Text of the page around the exception's own text.
    page: str = "{}"


# By class name: the exceptions live in `rgunicorn.http.errors` and (SSLError) in `ssl`, and neither
# module is needed before the first failure.
_BAD = Refusal(400, "Bad Request")
_REFUSALS: dict[str, Refusal | None] = {
    "InvalidRequestLine": _BAD._replace(page="Invalid Request Line '{}'"),
    "InvalidRequestMethod": _BAD._replace(page="Invalid Method '{}'"),
    "InvalidHTTPVersion": _BAD._replace(page="Invalid HTTP Version '{}'"),
    "InvalidHeader": _BAD,
    "InvalidHeaderName": _BAD,
    "ObsoleteFolding": _BAD,
    "InvalidSchemeHeaders": _BAD,
    "InvalidChunkSize": _BAD,
    "ChunkMissingTerminator": _BAD,
    "InvalidChunkExtension": _BAD,
    "InvalidH2CPreface": _BAD,
    "InvalidProxyLine": _BAD._replace(page="'{}'"),
    "ForbiddenProxyRequest": Refusal(403, "Forbidden", "Request forbidden"),
    "SSLError": Refusal(403, "Forbidden", "'{}'"),
    "LimitRequestLine": Refusal(414, "URI Too Long"),
    "ExpectationFailed": Refusal(417, "Expectation Failed"),
    "LimitRequestHeaders": Refusal(
        431, "Request Header Fields Too Large", "Error parsing headers: '{}'"
    ),
    # Gunicorn says "Bad Request" after these two numbers as well.
    "ConfigurationProblem": Refusal(500, "Internal Server Error"),
    "UnsupportedTransferCoding": Refusal(501, "Not Implemented"),
    # The application made these headers: that is an application error.
    "InvalidResponseHeader": None,
    "InvalidResponseHeaderName": None,
}


def refusal(exc: BaseException) -> Refusal | None:
    """How to answer `exc`, with `page` filled in; None when it is not the client's mistake."""
    for cls in type(exc).__mro__:
        if cls.__name__ in _REFUSALS:
            found = _REFUSALS[cls.__name__]
            return found and found._replace(page=found.page.replace("{}", str(exc)))
    return None
