"""Gunicorn's parser as a process: a JSON line in, a JSON line out. Run by its own interpreter.

In: the number of a configuration, and the bytes as Latin-1. Out: the request at their start; an
error; or nothing, when they are not a whole request.
"""

import json
import sys

from gunicorn.config import Config
from gunicorn.http.errors import ChunkMissingTerminator, NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader


def config(settings):
    cfg = Config()
    for name, value in {"http_parser": "python", **settings}.items():
        cfg.set(name, value)
    return cfg


def read(cfg, peer, raw):
    unreader = IterUnreader([raw])
    try:
        request = Request(cfg, unreader, peer)
        # Counted down by what was asked for, not by what came.
        length = getattr(request.body.reader, "length", 0)
        body = request.body.read()
    except (StopIteration, NoMoreData):
        return {}
    except ChunkMissingTerminator as error:
        # An empty one is the end of the input, before that of the body.
        return {} if not error.term else refusal(error)
    except ParseException as error:
        return refusal(error)
    except Exception as error:  # noqa: BLE001 - what Gunicorn answers 500 is a verdict too
        return refusal(error)
    if len(body) < length:
        return {}
    rest = unreader.take_buffered() + b"".join(unreader.iter or ())
    return {
        "method": request.method,
        "target": request.uri,
        "version": request.version,
        "fields": request.headers,
        "body": body.decode("latin-1"),
        "trailers": request.trailers,
        "used": len(raw) - len(rest),
        "path": request.path,
        "query": request.query,
        "scheme": request.scheme,
    }


def refusal(error):
    return {"error": type(error).__name__, "words": str(error)}


def main():
    settings, peer = json.loads(sys.argv[1])
    configs = [config(one) for one in settings]
    for line in sys.stdin:
        number, raw = json.loads(line)
        answer = read(configs[number], tuple(peer), raw.encode("latin-1"))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
