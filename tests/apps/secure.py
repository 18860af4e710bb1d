"""An app that takes its encrypted connection over, as WebSocket libraries do, and asks about it."""

import json
import queue
import select
import threading

import kitchen


def asked(environ, start_response):
    """What the socket says of the connection; nothing is taken."""
    sock = environ["gunicorn.socket"]
    certificate = sock.getpeercert()
    said = {
        "cipher": sock.cipher()[0],
        "version": sock.version(),
        "subject": certificate and dict(pair for (pair,) in certificate["subject"]),
        "der": len(sock.getpeercert(True) or b""),
        "peer": sock.getpeername()[0],
        "fileno": sock.fileno() >= 0,
    }
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response):
    """Lines come back in upper case: a thread reads, this one writes, until `bye`."""
    sock = environ["gunicorn.socket"]
    sock.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    lines = queue.Queue()

    def read():
        buffer = b""
        while data := sock.recv(100):
            *complete, buffer = (buffer + data).split(b"\n")
            for line in complete:
                lines.put(line)
        lines.put(None)

    thread = threading.Thread(target=read)
    thread.start()
    while (line := lines.get()) is not None:
        sock.sendall(line.upper() + b"\n")
        if line == b"bye":
            break
    sock.unwrap()
    thread.join()
    sock.close()
    raise StopIteration


def file(environ, start_response):
    """The same by `makefile`, and select on the descriptor first."""
    sock = environ["gunicorn.socket"]
    with sock.makefile("rwb") as stream:
        stream.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        stream.flush()
        select.select([sock], [], [])
        line = stream.readline()
        stream.write(line.upper())
        stream.flush()
        stream.write(str(sock.gettimeout()).encode())
    sock.shutdown(2)
    raise StopIteration


def push(environ, start_response):
    """Twenty megabytes at once, half of them by `send`."""
    sock = environ["gunicorn.socket"]
    half = bytes(range(256)) * 40_000
    assert sock.send(half) == len(half)
    sock.sendall(half)
    sock.shutdown(1)
    raise StopIteration


APPS = {"/asked": asked, "/line": echo, "/makefile": file, "/push": push}


def app(environ, start_response):
    found = APPS.get(environ["PATH_INFO"], kitchen.app)
    return found(environ, start_response)
