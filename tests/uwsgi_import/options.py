"""A file as options, and what tests compare of them."""

from __future__ import annotations

from pathlib import Path

from rgunicorn.uwsgi_import import reading
from rgunicorn.uwsgi_import.option import Option


def read(location: Path | str, kind: str | None = None, **environ: str) -> list[Option]:
    return list(reading.read(str(location), kind, environ).options)


def pairs(options: list[Option]) -> list[tuple[str, str | None]]:
    return [(option.name, option.value) for option in options]
