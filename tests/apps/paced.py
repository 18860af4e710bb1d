"""Says on stderr how far it has come with a request, for tests of buffers and timeouts."""

import sys
from urllib.parse import parse_qs

TEXT = ("Content-Type", "text/plain")


def app(environ, start_response):
    return {"/upload": upload, "/pieces": pieces}.get(environ["PATH_INFO"], hello)(
        environ, start_response
    )


def say(words):
    print(words, file=sys.stderr, flush=True)


def hello(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "5")])
    return [b"hello"]


def upload(environ, start_response):
    """How many bytes came, or the name of the error that `read` raised."""
    say("upload has started")
    got = 0
    try:
        while piece := environ["wsgi.input"].read(5):
            got += len(piece)
    except Exception as error:
        answer = f"{got} and {type(error).__name__}".encode()
    else:
        answer = str(got).encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(answer)))])
    return [answer]


def pieces(environ, start_response):
    """`?n=` pieces of `?size=` bytes."""
    query = parse_qs(environ["QUERY_STRING"])
    count, size = int(query["n"][0]), int(query["size"][0])
    start_response("200 OK", [TEXT, ("Content-Length", str(count * size))])
    made = 0
    try:
        for made in range(1, count + 1):  # noqa: B007
            yield b"x" * size
        say(f"all {made} pieces were taken")
    except GeneratorExit:
        say(f"cut in piece {made}.")
        raise
