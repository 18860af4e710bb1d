"""The applications of every scenario but hello: one plain WSGI callable each.

What they answer is known to the harness (loadbench/scenarios.py), which compares byte by byte.
"""

import os
import time

LARGE = b"0123456789abcdef" * 6400
UPLOAD = b"u" * 65536
PIECE = b"p" * 1000
PIECES = 50
FILE = b"0123456789abcdef" * 65536
# A file of this run's own: the harness gives each server a private HOME.
FILE_PATH = os.path.join(os.environ["HOME"], "one-mebibyte")
BLOCK = 65536


def sleep10(_environ, start_response):
    """An application that waits 10 ms for something else, a database say."""
    time.sleep(0.01)
    return _text(start_response, b"slept")


def large(_environ, start_response):
    return _text(start_response, LARGE)


def upload(environ, start_response):
    """Reads a body of 64 KiB and says whether it is the right one."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ["wsgi.input"].read(length) != UPLOAD:
        return _text(start_response, b"wrong", "400 Bad Request")
    return _text(start_response, b"right")


def stream(_environ, start_response):
    """50 pieces of 1,000 bytes out of a generator, length unknown to the server."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (PIECE for _ in range(PIECES))


def file(environ, start_response):
    """A file of 1 MiB by wsgi.file_wrapper; a server that has none gets it block by block."""
    wrapper = environ.get("wsgi.file_wrapper")
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(FILE)))]
    start_response("200 OK", [*headers, ("X-File-Wrapper", "yes" if wrapper else "no")])
    opened = open(FILE_PATH, "rb")  # noqa: SIM115 - who iterates closes it
    return wrapper(opened, BLOCK) if wrapper else _blocks(opened)


def busy(environ, start_response):
    """`/busy/SECONDS` sleeps that long; any other path answers at once.

    The body says who ran it and when: pid, start and end on the clock all processes share.
    """
    _, _, seconds = environ["PATH_INFO"].partition("/busy/")
    start = time.monotonic()
    if seconds:
        time.sleep(float(seconds))
    return _text(start_response, f"{os.getpid()} {start:.6f} {time.monotonic():.6f}".encode())


def stall(environ, start_response):
    """`/unread/BYTES` makes them anew for each request; a body is read; anything else is hello."""
    _, _, unread = environ["PATH_INFO"].partition("/unread/")
    if unread:
        return _text(start_response, b"r" * int(unread))
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return _text(start_response, b"Hello, World!")


def _text(start_response, body, status="200 OK"):
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def _blocks(opened):
    with opened:
        while block := opened.read(BLOCK):
            yield block


if not os.path.exists(FILE_PATH):
    with open(FILE_PATH, "wb") as made:
        made.write(FILE)
