"""Apps that answer in all the ways a response can be framed."""

import os
import sys
import time
from urllib.parse import parse_qs

TEXT = ("Content-Type", "text/plain")


def hello(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "13")])
    return [b"Hello, World!"]


def stream(environ, start_response):
    """Three chunks and an empty one, no length."""
    start_response("200 OK", [TEXT])
    yield from (b"one", b"", b"two", b"three")


def count(environ, start_response):
    """`?n=` bytes in pieces of 64 KiB, with a length unless `?chunked`."""
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    size = int(query["n"][0])
    headers = [TEXT] if "chunked" in query else [TEXT, ("Content-Length", str(size))]
    start_response("200 OK", headers)
    while size > 0:
        yield b"x" * min(size, 65536)
        size -= 65536


def one_piece(environ, start_response):
    """`?n=` bytes at once, after `pause` seconds."""
    query = parse_qs(environ["QUERY_STRING"])
    time.sleep(float(query.get("pause", ["0"])[0]))
    body = b"x" * int(query["n"][0])
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def sized(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "6")])
    return [b"abc", b"def"]


def too_long(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "4")])
    return [b"abc", b"defghi"]


def too_short(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return [b"abc"]


def empty(environ, start_response):
    start_response("200 OK", [TEXT])
    return []


def status(environ, start_response):
    """The status line of the query, percent-decoded, with a length of 0 where one may be."""
    line = parse_qs(environ["QUERY_STRING"])["s"][0]
    bare = line[:3] in ("204", "304")
    start_response(line, [] if bare else [TEXT, ("Content-Length", "0")])
    return []


def body_anyway(environ, start_response):
    """A body and a length where none belongs: `?s=` is the status line."""
    line = parse_qs(environ["QUERY_STRING"])["s"][0]
    start_response(line, [("Content-Length", "5")])
    return [b"stray"]


def processing(environ, start_response):
    start_response("102 Processing", [TEXT])
    return []


def wait_for(path):
    """Until the file exists, within reason."""
    for _ in range(2000):
        if os.path.exists(path):
            return
        time.sleep(0.01)


def slow(environ, start_response):
    """`/slow/some/path`: the second item comes when that file exists."""
    start_response("200 OK", [TEXT])
    yield b"first"
    wait_for(environ["PATH_INFO"].removeprefix("/slow"))
    yield b"second"


KEPT = []


def peek(environ, start_response):
    """Asks the connection's socket about itself, as applications do that log their peer."""
    sock = environ["gunicorn.socket"]
    assert sock.fileno() >= 0
    assert sock.getsockname() is not None
    sock.getpeername()
    if environ["QUERY_STRING"] == "keep":
        KEPT.append(sock)
    start_response("200 OK", [TEXT])
    return [b"peeked"]


def gate(environ, start_response):
    """`/gate/some/path`: says on wsgi.errors that it is in, and answers when that file exists."""
    path = environ["PATH_INFO"].removeprefix("/gate")
    environ["wsgi.errors"].write("in the gate\n")
    environ["wsgi.errors"].flush()
    wait_for(path)
    start_response("200 OK", [TEXT])
    return [b"through the gate"]


def write(environ, start_response):
    send = start_response("200 OK", [TEXT])
    send(b"written,")
    send(b"")
    send(b"twice,")
    return [b"returned"]


def exc_info(environ, start_response):
    """Changes its mind before the headers are out."""
    start_response("200 OK", [TEXT, ("X-First", "1")])
    try:
        raise ValueError("changed")
    except ValueError:
        start_response("503 Sorry", [TEXT, ("X-Second", "2")], sys.exc_info())
    return [b"sorry"]


def extra_headers(environ, start_response):
    start_response(
        "200 OK",
        [
            TEXT,
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("X-MiXeD", "caf\xe9"),
            ("X-Blank", ""),
            ("Content-Length", "2"),
        ],
    )
    return [b"ok"]


def hop_by_hop(environ, start_response):
    """Fields that are the server's own business, each with a value to look for.

    `wsgiref.validate` does not know which fields are hop-by-hop; PEP 3333 lets a server drop them.
    """
    names = "Keep-Alive Proxy-Authenticate Proxy-Authorization TE Trailers Upgrade Server Date"
    fields = [(name, "mine") for name in names.split()]
    start_response("200 OK", [TEXT, *fields, ("X-Kept", "mine"), ("Content-Length", "2")])
    return [b"ok"]


class Closing:
    def __init__(self, environ):
        self.environ = environ
        self.pieces = iter([b"a", b"b"])

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        print("closed", self.environ["QUERY_STRING"], file=self.environ["wsgi.errors"])
        self.environ["wsgi.errors"].flush()


def closing(environ, start_response):
    start_response("200 OK", [TEXT])
    return Closing(environ)
