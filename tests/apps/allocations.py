"""Answers with the number of allocations Rust code has made in this process."""

from rgunicorn import _core


def app(environ, start_response):
    body = b"%d" % _core.allocations()  # type: ignore[attr-defined]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
