"""Our decoders, as the worker classes in Python use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rgunicorn import _core
from rgunicorn.config import Config
from rgunicorn.http.errors import ParseException

from .reading import PEER, Message, Reading, Refusal, Unfinished


def rules(settings: Mapping[str, object]) -> _core.Rules:
    """What a server with these settings accepts."""
    cfg = Config()
    for name, value in settings.items():
        cfg.set(name, value)
    return _core.Rules(cfg)


def read(rules: _core.Rules, raw: bytes, piece: int = 0) -> Reading:
    """The request at the start of `raw`, which comes in pieces of that many bytes; 0: at once."""
    pieces = _pieces(raw, piece)
    decoder = _core.RequestDecoder(rules, PEER[0], False)
    try:
        facts = None
        while facts is None:
            data = next(pieces, None)
            if data is None:
                return Unfinished()
            facts = decoder.feed(data)
        body = _core.BodyDecoder(rules, None if facts["chunked"] else facts["length"])
        data = body.decode(decoder.rest())
        while not body.done and not body.broken:
            more = next(pieces, None)
            if more is None:
                return Unfinished()
            data += body.decode(more)
        if body.broken:
            body.decode(b"")
    except ParseException as error:
        return Refusal(type(error).__name__, str(error))
    rest = len(body.rest()) + sum(len(data) for data in pieces)
    return Message(
        facts["method"],
        facts["uri"],
        facts["version"],
        tuple(facts["headers"]),
        data,
        tuple(body.trailers()),
        len(raw) - rest,
        facts["path"],
        facts["query"],
        facts["scheme"],
    )


def _pieces(raw: bytes, size: int) -> Iterator[bytes]:
    size = size or max(len(raw), 1)
    return iter([raw[at : at + size] for at in range(0, len(raw), size)])
