"""Apps that read `wsgi.input` in all the ways PEP 3333 allows."""

import hashlib
import json
from urllib.parse import parse_qs


def reply(start_response, body, status="200 OK"):
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response):
    """The body, read in pieces of `?n=` bytes (65536 unless told)."""
    size = int(parse_qs(environ["QUERY_STRING"]).get("n", ["65536"])[0])
    pieces = iter(lambda: environ["wsgi.input"].read(size), b"")
    return reply(start_response, b"".join(pieces))


def pieces(environ, start_response):
    """Length and SHA-256 of a body too large to send back."""
    digest, length = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(1 << 16):
        digest.update(piece)
        length += len(piece)
    return reply(start_response, f"{length} {digest.hexdigest()}".encode())


def lines(environ, start_response):
    """JSON of what `readline(n)`, `readlines()` and iteration gave; `?how=` chooses."""
    query = parse_qs(environ["QUERY_STRING"])
    how, size = query["how"][0], int(query.get("n", ["-1"])[0])
    stream = environ["wsgi.input"]
    if how == "readline":
        found = list(iter(lambda: stream.readline(size), b""))
    elif how == "readlines":
        found = stream.readlines()
    else:
        found = list(stream)
    return reply(start_response, json.dumps([line.decode("latin-1") for line in found]).encode())


def call(environ, start_response):
    """JSON of a list of calls on `wsgi.input` given in the query: `/call?read=3&read=&readline=2`.

    Not validated: `read()` without an argument is Gunicorn's and everybody's, but not PEP 3333's.
    """
    stream, results = environ["wsgi.input"], []
    for pair in environ["QUERY_STRING"].split("&"):
        name, _, argument = pair.partition("=")
        try:
            got = getattr(stream, name)(*([int(argument)] if argument else []))
        except Exception as error:
            got = type(error).__name__
        if isinstance(got, bytes):
            got = got.decode("latin-1")
        elif isinstance(got, list):
            got = [line.decode("latin-1") for line in got]
        results.append(got)
    return reply(start_response, json.dumps(results).encode())


def unread(environ, start_response):
    """Refuses the upload without having read a byte of it."""
    return reply(start_response, b"too much" * 64, "413 Content Too Large")
