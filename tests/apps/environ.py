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


def with_body(environ, start_response):
    """The same with the body under `body`, Latin-1 decoded. Not WSGI by the letter: read()."""
    found = describe(environ) | {"body": ["str", environ["wsgi.input"].read().decode("latin-1")]}
    body = json.dumps(found, sort_keys=True).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def spoil(environ, start_response):
    """`dump`, and leaves nothing of its environ as it was."""
    body = dump(environ, start_response)
    for key in list(environ)[::2]:
        environ[key] = "spoilt"
    for key in list(environ)[1::2]:
        del environ[key]
    return body


application = app = dump
