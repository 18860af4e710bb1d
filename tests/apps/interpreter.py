"""Says in JSON what interpreter runs it, and on which of the worker's threads."""

import json
import sys
import sysconfig
import threading


def app(environ, start_response):
    body = json.dumps(
        {
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
            "thread": threading.current_thread().name,
            "input": input_in_two(environ["wsgi.input"]),
        }
    ).encode()
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


def input_in_two(body):
    """What two threads that read the body at the same time get: pieces, or names of errors."""
    got = [[], []]
    both = threading.Barrier(2)

    def read(pieces):
        both.wait()
        while True:
            try:
                piece = body.read(7)
            except RuntimeError as error:
                pieces.append(type(error).__name__)
                continue
            if not piece:
                return
            pieces.append(piece.decode())

    readers = [threading.Thread(target=read, args=(pieces,)) for pieces in got]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return got
