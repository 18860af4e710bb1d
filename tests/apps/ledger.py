"""The kitchen's apps, with every request entered in the file `$LEDGER`: who ran it and when.

A line is `began ID PID THREAD TIME` or `ended ...`, the time on CLOCK_MONOTONIC, which all
processes of a machine share; `loaded PID` when a worker has imported this. It is one write to a
file opened for appending, so lines of several processes do not mix. The request names itself in
`X-Id`; the answer repeats that in `X-Id` and says in `X-Worker` who gave it. A request without a
name is not entered.
"""

import os
import signal
import threading
import time

import kitchen

TEXT = ("Content-Type", "text/plain")
FILE = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(FILE, f"loaded {os.getpid()}\n".encode())


def gate(environ, start_response):
    """`/gate/some/path`: inside until that file exists, or for a minute when a test has failed."""
    path = environ["PATH_INFO"].removeprefix("/gate")
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.005)
    start_response("200 OK", [TEXT, ("Content-Length", "4")])
    return [b"gate"]


def nap(environ, start_response):
    """`/nap/0.5`: asleep for that many seconds."""
    time.sleep(float(environ["PATH_INFO"].removeprefix("/nap/")))
    start_response("200 OK", [TEXT, ("Content-Length", "3")])
    return [b"nap"]


def burn(environ, start_response):
    """`/burn/0.5`: busy in pure Python for that many seconds, always asking for the GIL."""
    end = time.monotonic() + float(environ["PATH_INFO"].removeprefix("/burn/"))
    while time.monotonic() < end:
        pass
    start_response("200 OK", [TEXT, ("Content-Length", "4")])
    return [b"burn"]


def take(environ, start_response):
    """`/take`: takes the socket, says `taken` on it, and answers what comes before it ends it."""
    socket = environ["gunicorn.socket"]
    socket.sendall(b"taken")
    socket.recv(100)
    socket.sendall(b"so be it")
    socket.close()
    start_response("200 OK", [TEXT])
    return []


def die(environ, start_response):
    """`/die`: kills the worker."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill(environ, start_response):
    """`/fill/1000`: so many bytes."""
    length = environ["PATH_INFO"].removeprefix("/fill/")
    start_response("200 OK", [TEXT, ("Content-Length", length)])
    return [b"x" * int(length)]


OWN = {"fill": fill, "gate": gate, "nap": nap, "burn": burn, "take": take, "die": die}


def enter(event, name):
    thread = threading.current_thread().name
    line = f"{event} {name} {os.getpid()} {thread} {time.monotonic()}\n"
    os.write(FILE, line.encode())


def app(environ, start_response):
    name = environ.get("HTTP_X_ID", "")
    segment = environ["PATH_INFO"].lstrip("/").partition("/")[0]
    handler = OWN.get(segment, kitchen.app)

    def start(status, headers, exc_info=None):
        own = [("X-Id", name), ("X-Worker", str(os.getpid()))]
        return start_response(status, [*headers, *own], exc_info)

    if name:
        enter("began", name)
    body = handler(environ, start)
    try:
        yield from body
    finally:
        if hasattr(body, "close"):
            body.close()
        if name:
            enter("ended", name)
