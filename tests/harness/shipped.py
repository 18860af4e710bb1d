"""Commands of the files in deploy/, started here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .server import Command, Server, Spawn

APP = "shop.wsgi:application"
"""The application that those files name."""


def launched(
    spawn: Spawn,
    command: Command,
    words: Sequence[str],
    addresses: Mapping[str, str],
    app: str = "tiny:application",
    env: Mapping[str, str] | None = None,
) -> Server:
    """The server of a command line `rgunicorn … shop.wsgi:application`.

    It listens where the harness wants it, not at its own `--bind`; what else has to be another
    here is in `addresses`, as it stands in the line.
    """
    assert (words[0], words[-1]) == ("rgunicorn", APP), words
    kept = []
    rest = iter(words[1:-1])
    for word in rest:
        if word == "--bind":
            next(rest)
        elif not word.startswith("--bind="):
            kept.append(word)
    for written, here in addresses.items():
        assert sum(written in word for word in kept) == 1, (written, kept)
        kept = [word.replace(written, here) for word in kept]
    argv = (*command.argv, *kept)
    return spawn(app, command=replace(command, argv=argv), env=env or {})
