"""Text that others wrote, made fit for a line of ours."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """`text` with every character escaped that could end a line or steer a terminal.

    Args:
        text: what somebody else wrote.
        keep: characters to leave alone.
    """
    if text.isprintable():
        return text
    return "".join(
        it if it.isprintable() or it in keep else it.encode("unicode_escape").decode("ascii")
        for it in text
    )
