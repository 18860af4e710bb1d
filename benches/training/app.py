"""What the server runs while its profile is taken: the ways in which applications answer."""

import tempfile
from http import HTTPStatus

LARGE = b"0123456789" * 12_000
TEXT = ("Content-Type", "text/plain; charset=utf-8")
FILE = tempfile.NamedTemporaryFile()  # noqa: SIM115 - as long as the process
FILE.write(LARGE * 4)
FILE.flush()


def app(environ, start_response):
    """`/answer` and whatever else is not below: short; the others as they are called."""
    answers = {"/echo": echo, "/file": file, "/large": large, "/page": page, "/pieces": pieces}
    return answers.get(environ["PATH_INFO"], answer)(environ, start_response)


def answer(environ, start_response):
    body = f"{environ['REQUEST_METHOD']} {environ['QUERY_STRING']}".encode()
    return _text(start_response, body)


def page(environ, start_response):
    """What a framework sends: a status that is not 200, cookies, a handful of fields."""
    fields = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", "2000"),
        ("X-Frame-Options", "DENY"),
        ("Vary", "Cookie, Accept-Language"),
        ("Set-Cookie", "session=0123456789abcdef; HttpOnly; Path=/; SameSite=Lax"),
        ("Referrer-Policy", "same-origin"),
    ]
    created = environ["QUERY_STRING"].endswith("7")
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    start_response(f"{status.value} {status.phrase}", fields)
    return [b"h" * 1500, b"t" * 500]


def echo(environ, start_response):
    return _text(start_response, environ["wsgi.input"].read())


def large(_environ, start_response):
    return _text(start_response, LARGE)


def pieces(_environ, start_response):
    """Of unknown length, one after the other."""
    start_response("200 OK", [TEXT])
    return (b"piece" * 100 for _ in range(10))


def file(environ, start_response):
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](open(FILE.name, "rb"))  # noqa: SIM115 - the server closes it


def _text(start_response, body):
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]
