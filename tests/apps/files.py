"""Apps that return `wsgi.file_wrapper`. `FILE` in the environment names the file."""

import io
import os
from urllib.parse import parse_qs

from responses import TEXT


def whole(environ, start_response):
    """The whole file, with its length unless `?chunked`."""
    path = os.environ["FILE"]
    headers = [TEXT, ("Content-Length", str(os.stat(path).st_size))]
    start_response("200 OK", headers[:1] if environ["QUERY_STRING"] == "chunked" else headers)
    return environ["wsgi.file_wrapper"](open(path, "rb"))


def from_offset(environ, start_response):
    """The file from `?o=` on; no length."""
    file = open(os.environ["FILE"], "rb")
    file.seek(int(parse_qs(environ["QUERY_STRING"])["o"][0]))
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](file, 4096)


def with_length(environ, start_response):
    """`?n=` bytes from `?o=` on: Content-Length says less than the file holds."""
    query = parse_qs(environ["QUERY_STRING"])
    file = open(os.environ["FILE"], "rb")
    file.seek(int(query["o"][0]))
    start_response("200 OK", [TEXT, ("Content-Length", query["n"][0])])
    return environ["wsgi.file_wrapper"](file)


def file_like(environ, start_response):
    """Something that has no file descriptor."""
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789" * 3), 8)
