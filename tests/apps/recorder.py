"""Enters every request in the file `$RECORD`, and answers with what it has seen.

A line is one JSON object: method, target (RAW_URI), path (PATH_INFO), body (Latin-1), the port of
the connection. It is one write to a file opened for appending, so lines of several threads do not
mix. The answer's body is the same object.
"""

import json
import os

FILE = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def app(environ, start_response):
    seen = {
        "method": environ["REQUEST_METHOD"],
        "target": environ["RAW_URI"],
        "path": environ["PATH_INFO"],
        "body": environ["wsgi.input"].read().decode("latin-1"),
        "host": environ.get("HTTP_HOST"),
        "x": environ.get("HTTP_X_FIELD"),
        "port": environ.get("REMOTE_PORT"),
    }
    line = json.dumps(seen).encode()
    os.write(FILE, line + b"\n")
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(line)))]
    )
    return [line]
