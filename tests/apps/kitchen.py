"""All the little apps behind one callable: the first path segment chooses.

The ones in `VALIDATED` are WSGI by the letter and wrapped in `wsgiref.validate`, which raises when
the *server* breaks PEP 3333. The ones in `ROUGH` break it themselves, or must hand the server their
very own objects. Any other path gives the environ.
"""

from wsgiref.validate import validator

import bodies
import broken
import files
import hints
import responses
from environ import dump, spoil

VALIDATED = {
    "bytes": responses.count,
    "close": responses.closing,
    "echo": bodies.echo,
    "environ": dump,
    "empty": responses.empty,
    "exc_info": responses.exc_info,
    "extra": responses.extra_headers,
    "gate": responses.gate,
    "hello": responses.hello,
    "hop": responses.hop_by_hop,
    "lines": bodies.lines,
    "long": responses.too_long,
    "piece": responses.one_piece,
    "pieces": bodies.pieces,
    "raise": broken.before_headers,
    "raise-late": broken.after_headers,
    "raise-iter": broken.in_iterator,
    "short": responses.too_short,
    "sized": responses.sized,
    "sleep": broken.sleeps,
    "slow": responses.slow,
    "status": responses.status,
    "stream": responses.stream,
    "unread": bodies.unread,
    "write": responses.write,
}

ROUGH = {
    "*": dump,
    "102": responses.processing,
    "body-204": responses.body_anyway,
    "call": bodies.call,
    "early": hints.early,
    "early-late": hints.late,
    "early-keeper": hints.keeper,
    "exit": broken.exits,
    "file": files.whole,
    "file-like": files.file_like,
    "file-offset": files.from_offset,
    "file-range": files.with_length,
    "no-start": broken.no_start_response,
    "not-bytes": broken.not_bytes,
    "odd-method": dump,
    "peek": responses.peek,
    "spoil": spoil,
    "start": broken.start,
    "twice": broken.starts_twice,
}

APPS = {name: validator(handler) for name, handler in VALIDATED.items()} | ROUGH


def app(environ, start_response):
    name = environ["PATH_INFO"].lstrip("/").partition("/")[0]
    return APPS.get(name, APPS["environ"])(environ, start_response)
