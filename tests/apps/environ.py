"""Answers with its environ as JSON: `{key: [type name, value or null]}`."""

import json

PLAIN = (str, int, bool, tuple, type(None))


def describe(environ):
    return {
        key: [type(value).__name__, value if isinstance(value, PLAIN) else None]
        for key, value in environ.items()
    }


def dump(environ, start_response):
    body = json.dumps(describe(environ), sort_keys=True).encode()
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


application = app = dump
