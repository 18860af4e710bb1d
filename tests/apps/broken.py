"""Apps that fail."""

import os
import sys
import time
from urllib.parse import parse_qs

from responses import TEXT


def before_headers(environ, start_response):
    raise RuntimeError("broken before headers")


def after_headers(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"begun"
    raise RuntimeError("broken after headers")


def in_iterator(environ, start_response):
    """The first item never comes: the headers are not out yet."""
    start_response("200 OK", [TEXT])
    raise RuntimeError("broken in iterator")
    yield b""


def starts_twice(environ, start_response):
    """A second start_response without, or `?late` with exc_info after the first bytes."""
    start_response("200 OK", [TEXT])
    if environ["QUERY_STRING"] != "late":
        start_response("201 Created", [TEXT])
        return
    yield b"begun"
    try:
        raise RuntimeError("too late to change")
    except RuntimeError:
        start_response("500 Oops", [TEXT], sys.exc_info())
    yield b"never"


def no_start_response(environ, start_response):
    return [b"what status?"]


def not_bytes(environ, start_response):
    start_response("200 OK", [TEXT])
    return ["text", b"bytes"]


STARTS = {
    "status-bytes": (b"200 OK", [TEXT]),
    "status-int": (200, [TEXT]),
    "status-two": ("20 OK", [TEXT]),
    "status-word": ("OK", [TEXT]),
    "status-empty": ("", [TEXT]),
    "status-crlf": ("200 OK\r\nX: y", [TEXT]),
    "name-blank": ("200 OK", [("X Y", "v")]),
    "name-colon": ("200 OK", [("X:", "v")]),
    "name-empty": ("200 OK", [("", "v")]),
    "name-bytes": ("200 OK", [(b"X", "v")]),
    "value-crlf": ("200 OK", [("X", "a\r\nSet-Cookie: b")]),
    "value-nul": ("200 OK", [("X", "a\0b")]),
    "value-int": ("200 OK", [("X", 1)]),
    "value-bytes": ("200 OK", [("X", b"v")]),
}


def start(environ, start_response):
    """A start_response call no server may let through; `?` names it."""
    start_response(*STARTS[environ["QUERY_STRING"]])
    return [b"let through"]


def sleeps(environ, start_response):
    """Far beyond every timeout; whoever waits for this gives up first."""
    time.sleep(100)
    raise AssertionError("nobody ended this worker")


def exits(environ, start_response):
    """`?code=`: SystemExit out of the app; `?now=`: the process is gone at once."""
    query = parse_qs(environ["QUERY_STRING"])
    if "now" in query:
        os._exit(int(query["now"][0]))
    sys.exit(int(query["code"][0]))
