"""Tables in Markdown, and what stands below one when the machine was not quiet."""

from __future__ import annotations

# Interrupts and the kernel's own threads stay below this; a second program does not.
_QUIET = 0.05


def table(heads: list[str], rows: list[list[str]], left: int = 1) -> list[str]:
    """The first `left` columns are words, the others numbers. No rows, no lines."""
    if not rows:
        return []
    rule = ["---"] * left + ["--:"] * (len(heads) - left)
    return [f"| {' | '.join(row)} |" for row in (heads, rule, *rows)]


def noise(shares: list[float]) -> list[str]:
    """`shares` of the server's core that other programs took, one per measurement."""
    most = max(shares, default=0.0)
    if most <= _QUIET:
        return []
    noisy = f"**Noisy**: other programs took up to {most:.0%} of the server's core."
    return ["", f"{noisy} Good for checking the harness, not for conclusions."]


def code(words: str) -> str:
    """`words` as they are, also inside a table."""
    return f"`{words}`".replace("|", "\\|")
