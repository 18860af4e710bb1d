"""Lines over two logarithmic axes: straight and rising by one in one is linear growth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, log10

from loadbench.charts.canvas import SERIES, Canvas

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 96, 52
_DASHES = ("", "", "6 4", "2 3", "8 3 2 3", "10 4")

Label = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """One server. All numbers are above zero."""

    label: str
    points: list[tuple[float, float]]
    ours: bool


@dataclass(frozen=True)
class Axis:
    """What one axis counts and how a number on it is written; `ticks` where powers would not do."""

    title: str
    label: Label
    ticks: tuple[float, ...] = ()


def line_chart(title: str, x: Axis, y: Axis, lines: list[Line]) -> str:
    """The SVG. Lines keep their order, colours and marks."""
    said = "; ".join(
        f"{line.label}: "
        + ", ".join(f"{x.label(at)} {y.label(value)}" for at, value in sorted(line.points))
        for line in lines
    )
    canvas = Canvas(_WIDTH, _HEIGHT, title, f"{y.title} by {x.title}. {said}.")
    canvas.text(16, 28, title, size=16, bold=True)
    canvas.text(16, 50, f"{y.title}; both axes are logarithmic", "soft", size=12)
    xs = [at for line in lines for at, _ in line.points]
    ys = [value for line in lines for _, value in line.points]
    across = _Scale.over(xs, _LEFT + 14, _WIDTH - _RIGHT - 24, snap=False)
    up = _Scale.over(ys, _HEIGHT - _BOTTOM, _TOP, snap=True)
    _draw_axes(canvas, x, y, across, up, xs)
    place = 16.0
    for number, line in enumerate(lines):
        kind = f"series-{number % SERIES}"
        path = [(across(at), up(value)) for at, value in sorted(line.points)]
        width = 3.0 if line.ours else 1.8
        canvas.path(path, kind, width=width, dash=_DASHES[number % len(_DASHES)])
        for at, value in path:
            canvas.marker(at, value, kind, number)
        canvas.marker(place + 5, 72, kind, number)
        canvas.text(place + 16, 76, line.label, size=12, bold=line.ours)
        place += 36 + 6.9 * len(line.label)
    return canvas.svg()


@dataclass(frozen=True)
class _Scale:
    """From numbers to places."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: list[float], start: float, end: float, *, snap: bool) -> _Scale:
        """From the least to the greatest of `values`; with `snap` from power of ten to power."""
        low, high = log10(min(values)), log10(max(values))
        if snap:
            low, high = floor(low), ceil(high)
        return cls(low, high if high > low else low + 1, start, end)

    def __call__(self, value: float) -> float:
        share = (log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def powers(self) -> list[float]:
        return [10.0**power for power in range(ceil(self.low), floor(self.high) + 1)]


def _draw_axes(
    canvas: Canvas, x: Axis, y: Axis, across: _Scale, up: _Scale, xs: list[float]
) -> None:
    for value in y.ticks or up.powers():
        place = up(value)
        canvas.line(_LEFT, place, _WIDTH - _RIGHT, place)
        canvas.text(_LEFT - 8, place + 4, y.label(value), "soft", size=12, anchor="end")
    for value in x.ticks or sorted(set(xs)):
        place = across(value)
        canvas.line(place, _TOP, place, _HEIGHT - _BOTTOM)
        at = _HEIGHT - _BOTTOM + 18
        canvas.text(place, at, x.label(value), "soft", size=12, anchor="middle")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    canvas.text(middle, _HEIGHT - 12, x.title, "soft", size=12, anchor="middle")
