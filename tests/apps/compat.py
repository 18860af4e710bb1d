"""What the tests of docs/compatibility.md serve."""

from __future__ import annotations

import json
import socket


def speaks_for_itself(environ, start_response):
    """Answers on the socket, as a WebSocket library does, and then fails."""
    environ["gunicorn.socket"].sendall(b"mine alone")
    raise RuntimeError("after the upgrade")


KEPT = []


def answers_after_all(environ, start_response):
    """Speaks on the socket and answers besides, as a framework's error page after an upgrade does.

    Like the thread of a WebSocket library, somebody keeps the socket.
    """
    environ["gunicorn.socket"].sendall(b"mine first\n")
    KEPT.append(environ["gunicorn.socket"])
    start_response("500 Internal Server Error", [("Content-Length", "4")])
    return [b"page"]


def hands_over(environ, start_response):
    """Gives the socket away; what it returns is for its framework alone."""
    with socket.socket(fileno=environ["gunicorn.socket"].detach()) as mine:
        mine.sendall(b"from its new owner")
    start_response("200 OK", [])
    return [b"not for the client"]


def versions(environ, start_response):
    import gunicorn

    found = [gunicorn.__version__, gunicorn.version_info, gunicorn.SERVER_SOFTWARE]
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


async def asynchronous(scope, receive, send):
    """ASGI, by a mistake in the command line."""


class Asynchronous:
    """As the applications of frameworks are made."""

    async def __call__(self, scope, receive, send): ...


asynchronous_object = Asynchronous()
