"""What a parser makes of the bytes from where a request begins."""

from __future__ import annotations

from dataclasses import dataclass

Fields = tuple[tuple[str, str], ...]
"""Upper-case names and values, both Latin-1."""


@dataclass(frozen=True)
class Message:
    """A request, head and body, that has come whole."""

    method: str
    target: str
    version: tuple[int, int]
    fields: Fields
    body: bytes
    trailers: Fields
    used: int
    """Bytes up to where the next request begins."""
    path: str | None = None
    query: str | None = None
    scheme: str | None = None
    """None where a parser does not say."""


@dataclass(frozen=True)
class Refusal:
    """The bytes are no request."""

    name: str
    """Of the error."""
    words: str = ""


@dataclass(frozen=True)
class Unfinished:
    """They may yet become one."""


Reading = Message | Refusal | Unfinished

SETTINGS: list[dict[str, object]] = [
    {},
    {},
    {"header_map": "dangerous", "forwarder_headers": "SCRIPT_NAME,REMOTE_USER"},
    {"header_map": "refuse"},
    {"permit_obsolete_folding": True, "strip_header_spaces": True},
    {
        "casefold_http_method": True,
        "permit_unconventional_http_method": True,
        "permit_unconventional_http_version": True,
    },
    {"limit_request_line": 60, "limit_request_fields": 5, "limit_request_field_size": 40},
]
"""The configurations that are compared; the first two are the defaults."""
PEER = ("127.0.0.1", 40000)
