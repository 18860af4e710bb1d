"""uwsgi packets: what nginx's uwsgi_pass sends, written by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

Text = str | bytes


def packet(
    variables: Mapping[str, Text] | Iterable[tuple[Text, Text]],
    body: bytes = b"",
    *,
    modifier1: int = 0,
    modifier2: int = 0,
) -> bytes:
    """A packet with `variables` (text is Latin-1) in their order, and the body behind it."""
    pairs = variables.items() if isinstance(variables, Mapping) else variables
    block = b"".join(_counted(name) + _counted(value) for name, value in pairs)
    return bytes([modifier1]) + struct.pack("<HB", len(block), modifier2) + block + body


def request(path: str = "/", body: bytes | None = None, **more: Text | None) -> bytes:
    """A request as nginx's own `uwsgi_params` describe it. `path`: what the client sent.

    Of `more`, names and values replace what is there or come behind it; a name that is no Python
    name can be given as a keyword by `**{...}`. None as a value leaves the variable out.
    """
    before, _, query = path.partition("?")
    described: dict[str, Text | None] = {
        "QUERY_STRING": query,
        "REQUEST_METHOD": "GET" if body is None else "POST",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "" if body is None else str(len(body)),
        "REQUEST_URI": path,
        "PATH_INFO": before,
        "DOCUMENT_ROOT": "/usr/share/nginx/html",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "198.51.100.7",
        "REMOTE_PORT": "4711",
        "SERVER_PORT": "8080",
        "SERVER_NAME": "www.example.org",
        "HTTP_HOST": "www.example.org:8080",
    }
    described.update(more)
    kept = {name: value for name, value in described.items() if value is not None}
    return packet(kept, body or b"")


def _counted(text: Text) -> bytes:
    raw = text.encode("latin-1") if isinstance(text, str) else text
    return struct.pack("<H", len(raw)) + raw
