"""What tests/chaos asks: bodies made of the request's own name, so that none can be another's.

Each request that names itself (X-Request-ID) is entered in the file `$LEDGER` when it runs, in one
write to a file opened for appending: `ID PID`.
"""

import os
import time

# Clients import `filled` from here, without a ledger.
FILE = os.open(os.environ.get("LEDGER", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def filled(name, size):
    """`size` bytes, the name over and over."""
    return (name.encode("latin-1") * (size // len(name) + 1))[:size]


class Mistake(Exception):
    """The application's own."""


def body_of(environ, name):
    """What the path asks for."""
    what, _, argument = environ["PATH_INFO"][1:].partition("/")
    if what == "echo":
        return environ["wsgi.input"].read()
    if what == "nap":
        time.sleep(float(argument))
    if what == "burn":
        end = time.process_time() + float(argument)
        while time.process_time() < end:
            pass
    if what == "mistake":
        raise Mistake(name)
    return filled(name, int(argument) if what in ("bytes", "stream") else 40)


def app(environ, start_response):
    name = environ.get("HTTP_X_REQUEST_ID", "-")
    os.write(FILE, f"{name} {os.getpid()}\n".encode())
    body = body_of(environ, name)
    headers = [("Content-Type", "application/octet-stream"), ("X-Worker", str(os.getpid()))]
    if environ["PATH_INFO"].startswith("/stream"):
        start_response("200 OK", headers)
        return (body[at : at + 8192] for at in range(0, len(body), 8192))
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]
