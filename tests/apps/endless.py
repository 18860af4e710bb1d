"""A response without an end, for a reader that does not read."""

import sys

PIECE = bytes(1 << 20)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    try:
        for number in range(1000):
            if number == 60:
                print("nobody reads", file=sys.stderr, flush=True)
            yield PIECE
    except BaseException:  # GeneratorExit, or the SystemExit of the handler itself
        print("was asked to leave", file=sys.stderr, flush=True)
        raise
