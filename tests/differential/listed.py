"""Where the others may read otherwise than we do. What is not listed here is a finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .reading import Message, Reading, Refusal


@dataclass(frozen=True)
class Listed:
    """Bytes that we take and another parser does not."""

    who: str
    """`gunicorn` or `h11`."""
    words: str
    """A pattern of what it says."""
    when: Callable[[bytes, Message], bool]
    """Whether that may be said of these bytes, which we read as this message."""
    why: str


def _starts_empty(raw: bytes, _: Message) -> bool:
    return raw.startswith(b"\r\n")


def _has_no_host(_: bytes, message: Message) -> bool:
    return message.version >= (1, 1) and "HOST" not in dict(message.fields)


def _has_two_codings(_: bytes, message: Message) -> bool:
    values = [value for name, value in message.fields if name == "TRANSFER-ENCODING"]
    return len(values) > 1 or "," in values[0]


def _has_long_numbers(raw: bytes, _: Message) -> bool:
    return re.search(rb"[0-9a-fA-F]{20}", raw) is not None


def _has_blanks_before_extensions(raw: bytes, _: Message) -> bool:
    return re.search(rb"[ \t];", raw) is not None


LISTED = [
    Listed(
        "h11",
        "no request line received",
        _starts_empty,
        "RFC 9112 section 2.2 asks servers to ignore an empty line before a request; Gunicorn does",
    ),
    Listed(
        "h11",
        "Missing mandatory Host: header",
        _has_no_host,
        "Gunicorn serves HTTP/1.1 without Host, and health checks of balancers rely on it; nothing "
        "is routed by Host here",
    ),
    Listed(
        "h11",
        "Only Transfer-Encoding: chunked is supported",
        _has_two_codings,
        "as Gunicorn: identity before chunked changes nothing; a coding before chunked is the "
        "application's to undo, and the connection ends after it",
    ),
    Listed(
        "h11",
        "illegal chunk header|bad Content-Length",
        _has_long_numbers,
        "RFC 9112 does not limit leading zeros; the number itself has 64 bits",
    ),
    Listed(
        "h11",
        "illegal chunk header",
        _has_blanks_before_extensions,
        "RFC 9112 section 7.1.1 has BWS before an extension",
    ),
]

STRICTER = {
    "LimitRequestHeaders": "`dropped-names-count` and `head-limit` of docs/compatibility.md",
}
"""What we refuse and Gunicorn takes, by our error."""


def is_listed(who: str, raw: bytes, ours: Message, theirs: Reading) -> Listed | None:
    """The row that allows `theirs`, if there is one."""
    if not isinstance(theirs, Refusal):
        return None
    for row in LISTED:
        if row.who == who and re.search(row.words, theirs.words) and row.when(raw, ours):
            return row
    return None
