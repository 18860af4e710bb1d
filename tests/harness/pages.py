"""Gunicorn's error page, byte for byte."""

from __future__ import annotations

import html

PAGE = """<html>
  <head>
    <title>{reason}</title>
  </head>
  <body>
    <h1><p>{reason}</p></h1>
    {message}
  </body>
</html>
"""


def error_response(status: int, reason: str, message: str = "") -> bytes:
    """The whole response for an error the server itself reports. `message` is not yet escaped."""
    page = PAGE.format(reason=reason, message=html.escape(message)).encode("latin-1")
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        "Content-Type: text/html\r\n"
        f"Content-Length: {len(page)}\r\n\r\n"
    )
    return head.encode("latin-1") + page


SERVER_ERROR = error_response(500, "Internal Server Error")
