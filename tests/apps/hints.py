"""Apps that send 103 Early Hints."""

from responses import TEXT

LINK = ("Link", "</a.css>; rel=preload")
KEPT = []


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


def keeper(environ, start_response):
    """Keeps the client's socket and its hints for `?keep`, and says whether it was given, later,
    something that it keeps. Tries all of that."""
    mine = (environ["gunicorn.socket"], environ["wsgi.early_hints"])
    again = any(one is kept for one in mine for pair in KEPT for kept in pair)
    for handle, hint in KEPT:
        hint([LINK])
        try:
            again |= handle.fileno() >= 0
        except OSError:
            continue
    if environ["QUERY_STRING"] == "keep":
        KEPT.append(mine)
    start_response("200 OK", [TEXT, ("Content-Length", "2")])
    return [b"no" if again else b"ok"]
