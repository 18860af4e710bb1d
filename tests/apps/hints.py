"""Apps that send 103 Early Hints."""

from responses import TEXT

LINK = ("Link", "</a.css>; rel=preload")


def early(environ, start_response):
    environ["wsgi.early_hints"]([LINK])
    environ["wsgi.early_hints"]([LINK, ("X-More", "1")])
    start_response("200 OK", [TEXT, ("Content-Length", "2")])
    return [b"ok"]


def late(environ, start_response):
    """Hints once the headers are out: too late, and no error."""
    start_response("200 OK", [TEXT])
    yield b"body"
    environ["wsgi.early_hints"]([LINK])
    yield b"more"
