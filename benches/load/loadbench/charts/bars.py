"""A bar per server: user and system time of one request, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from loadbench.charts.canvas import Canvas

_WIDTH, _LEFT, _RIGHT, _TOP = 800, 280, 76, 74
_ROW, _BAR = 26, 18
# A bar longer than so many medians is cut: the others would be too short to be compared.
_MEDIANS = 4


@dataclass(frozen=True)
class Bar:
    """One server; times in microseconds."""

    label: str
    user: float
    system: float
    total: float
    """Measured for itself: medians of the parts need not add up to the median of the sum."""
    ours: bool


def bar_chart(title: str, bars: list[Bar]) -> str:
    """The SVG; `bars` in any order."""
    ordered = sorted(bars, key=lambda bar: bar.total)
    said = "; ".join(f"{bar.label} {bar.total:.2f} µs" for bar in ordered)
    canvas = Canvas(_WIDTH, _TOP + _ROW * len(ordered) + 16, title, f"CPU per request: {said}.")
    canvas.text(16, 28, title, size=16, bold=True)
    canvas.text(16, 50, _said(ordered), "soft", size=12)
    _legend(canvas)
    most = _longest([bar.total for bar in ordered])
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    for number, bar in enumerate(ordered):
        top = _TOP + _ROW * number
        base = top + _BAR - 5
        share = bar.user / ((bar.user + bar.system) or 1.0)
        user, whole = bar.total * share * scale, min(bar.total, most) * scale
        user = min(user, whole)
        kind = "ours-" if bar.ours else ""
        canvas.text(_LEFT - 10, base, bar.label, anchor="end", bold=bar.ours)
        canvas.rectangle(_LEFT, top, user, _BAR, f"{kind}user")
        canvas.rectangle(_LEFT + user, top, whole - user, _BAR, f"{kind}system")
        if bar.total > most:
            _cut(canvas, _LEFT + whole - 24, top)
        canvas.text(_LEFT + whole + 6, base, f"{bar.total:.2f}", bold=bar.ours)
    return canvas.svg()


def _said(bars: list[Bar]) -> str:
    is_cut = any(bar.total > _longest([one.total for one in bars]) for bar in bars)
    return f"CPU µs per request, less is better{'; long bars are cut' if is_cut else ''}"


def _longest(totals: list[float]) -> float:
    """What a bar over the whole width stands for."""
    if not totals or not max(totals):
        return 1.0
    return min(max(totals), _MEDIANS * (median(totals) or 1.0))


def _cut(canvas: Canvas, x: float, top: float) -> None:
    """Two slanted gaps: this bar goes on."""
    for gap in (x, x + 8):
        canvas.path([(gap, top + _BAR + 1), (gap + 6, top - 1)], "gap", width=3)


def _legend(canvas: Canvas) -> None:
    for x, ours, others, words in (
        (_WIDTH - 170, "ours-user", "user", "user"),
        (_WIDTH - 90, "ours-system", "system", "system"),
    ):
        canvas.rectangle(x, 41, 10, 10, ours)
        canvas.rectangle(x + 11, 41, 10, 10, others)
        canvas.text(x + 26, 50, words, "soft", size=12)
