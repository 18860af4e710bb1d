"""What the tests of docs/compatibility.md serve."""

from __future__ import annotations

import json


def speaks_for_itself(environ, start_response):
    """Answers on the socket, as a WebSocket library does, and then fails."""
    environ["gunicorn.socket"].sendall(b"mine alone")
    raise RuntimeError("after the upgrade")


def versions(environ, start_response):
    import gunicorn

    found = [gunicorn.__name__, gunicorn.__version__, gunicorn.SERVER_SOFTWARE]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]


def another_socket_breaks(environ, start_response):
    """An error of the application's own, of a kind the client's connection could have had."""
    raise ConnectionResetError(104, "the database is gone")


def reads_all(environ, start_response):
    """Does not expect that a body ends early."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "0")])
    return []


def calls_back(environ, start_response):
    """Its headers call start_response while they are read."""

    def headers():
        start_response("200 OK", [])
        yield ("X-Some", "header")

    start_response("200 OK", headers())
    return [b"never"]
