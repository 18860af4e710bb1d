"""From an address as uWSGI takes it to one for `bind`."""

from __future__ import annotations

import re

from rgunicorn.uwsgi_import.values import Made, Unfit

_TCP = re.compile(r"((?:\[[0-9A-Fa-f:.%]+\])|[\w.-]*):(\d{1,5})", re.ASCII)


def address(text: str, shared: list[str] | None = None) -> Made:
    """An address for `bind`.

    Args:
        text: `HOST:PORT`, `:PORT`, a path, `fd://N`, or `=N` for the Nth shared socket.
        shared: the shared sockets; none if left out.

    Raises:
        Unfit: it is none of these.
    """
    text = text.strip()
    if text.startswith("=") and text[1:].isdecimal():
        known = shared or []
        if not int(text[1:]) < len(known):
            raise Unfit(f"there is no shared-socket number {text[1:]}")
        return address(known[int(text[1:])])
    if not text:
        raise Unfit("it has no address")
    if text.startswith("fd://"):
        if not re.fullmatch(r"\d{1,6}", text[5:], re.ASCII):
            raise Unfit(f"{text!r} is no descriptor")
        return Made(text)
    if text.startswith(("@", "\\0")):
        raise Unfit("it is an abstract socket; take a path, here and in the proxy")
    if ":" not in text:
        note = (
            "It has no colon: uWSGI makes a Unix socket of that name." if text.isdecimal() else ""
        )
        return Made(f"unix:{text}", note)
    tcp = _TCP.fullmatch(text)
    if tcp is None or int(tcp[2]) > 65535:
        raise Unfit(f"{text!r} is not HOST:PORT")
    return Made(text)


def is_unix(bound: str) -> bool:
    """Whether a value of `bind` is a path."""
    return bound.startswith("unix:")


def overlap(one: str, other: str) -> bool:
    """Whether two values of `bind` can not be bound both."""
    if not (_TCP.fullmatch(one) and _TCP.fullmatch(other)):
        return one == other
    host, _, port = one.rpartition(":")
    other_host, _, other_port = other.rpartition(":")
    everywhere = {"", "0.0.0.0", "[::]"}
    same = host == other_host or bool({host, other_host} & everywhere)
    return same and int(port) == int(other_port)


def is_local(bound: str) -> bool:
    """Whether only this machine can reach a value of `bind`."""
    return bound.startswith(("unix:", "127.", "localhost:", "[::1]:", "fd:"))
