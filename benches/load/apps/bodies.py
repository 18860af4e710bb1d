"""The application of the curves of bodies: it holds no more than a piece of one at a time.

`POST /upload` reads a body and says how long it was, `/generate/BYTES` makes one out of pieces,
`/file/BYTES` sends a file by wsgi.file_wrapper. Anything else is hello.
"""

import os

PIECE = b"g" * 65536


def app(environ, start_response):
    _, kind, size = (environ["PATH_INFO"] + "//").split("/")[:3]
    if kind == "upload":
        return _text(start_response, str(_read_all(environ["wsgi.input"])).encode())
    if kind == "generate":
        _start(start_response, int(size))
        return _pieces(int(size))
    if kind == "file":
        return _file(environ, start_response, int(size))
    return _text(start_response, b"Hello, World!")


def _read_all(stream):
    length = 0
    while piece := stream.read(len(PIECE)):
        length += len(piece)
    return length


def _pieces(size):
    for _ in range(size // len(PIECE)):
        yield PIECE
    if size % len(PIECE):
        yield PIECE[: size % len(PIECE)]


def _file(environ, start_response, size):
    # Full of holes: it takes no room on the disk. The harness gives each server a private HOME.
    path = os.path.join(os.environ["HOME"], f"file-{size}")
    if not os.path.exists(path):
        with open(path, "wb") as made:
            made.truncate(size)
    opened = open(path, "rb")  # noqa: SIM115 - who iterates closes it
    _start(start_response, size)
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(opened, len(PIECE)) if wrapper else _blocks(opened)


def _blocks(opened):
    with opened:
        while block := opened.read(len(PIECE)):
            yield block


def _text(start_response, body):
    _start(start_response, len(body))
    return [body]


def _start(start_response, size):
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(size))]
    start_response("200 OK", headers)
