"""Applications whose requests are counted in instructions (tests/instructions).

`/begin` and `/mark/NAME` are for callgrind, under which this server runs: harness/callgrind.py.
"""

import ctypes
import os

from flask import Flask

HELLO = b"Hello, World!"
LARGE = b"0123456789abcdef" * 6400

MARKS = ctypes.CDLL(os.environ["MARKS"])

flask = Flask(__name__)


@flask.get("/flask")
def greet():
    return HELLO


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/flask":
        return flask(environ, start_response)
    body = HELLO
    if path == "/large":
        body = LARGE
    elif path == "/upload":
        body = b"%d" % len(environ["wsgi.input"].read())
    elif path == "/begin":
        MARKS.begin()
    elif path.startswith("/mark/"):
        MARKS.mark(path.removeprefix("/mark/").encode())
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
