"""An SVG document being drawn: shapes, text, and the colours of both themes."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# Class, light, dark. A chart brings its own background: the page's theme may be another one than
# the one the browser tells an image.
_FILLS = (
    ("back", "#ffffff", "#15191f"),
    ("text", "#1f2328", "#e6edf3"),
    ("soft", "#59636e", "#9198a1"),
    ("ours-user", "#c2410c", "#f97316"),
    ("ours-system", "#fdba74", "#9a3412"),
    ("user", "#3b6ea5", "#6ea8dc"),
    ("system", "#b6cfe8", "#34577a"),
)
_STROKES = (
    ("gap", "#ffffff", "#15191f"),
    ("grid", "#d8dee4", "#30363d"),
    ("series-0", "#c2410c", "#fb923c"),
    ("series-1", "#a16207", "#facc15"),
    ("series-2", "#1d5fa8", "#60a5fa"),
    ("series-3", "#6d28d9", "#c4a5fd"),
    ("series-4", "#0f766e", "#2dd4bf"),
    ("series-5", "#9d174d", "#f472b6"),
)
SERIES = sum(name.startswith("series") for name, _, _ in _STROKES)


class Canvas:
    """`title` names the chart, `description` says what it shows to who does not see it."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self._width = width
        self._height = height
        self._title = title
        self._description = description
        self._shapes: list[str] = []

    def rectangle(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """`kind` is one of the classes above; as it is for all shapes."""
        self._shapes.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" '
            f'height="{height:.1f}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        kind: str = "text",
        *,
        size: int = 13,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """`y` is the baseline; `anchor` is start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        self._shapes.append(
            f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def path(
        self, points: list[tuple[float, float]], kind: str, *, width: float, dash: str = ""
    ) -> None:
        """Straight from point to point."""
        steps = " ".join(
            f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points)
        )
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(
            f'<path class="{kind}" d="{steps}" fill="none" stroke-width="{width}"{dashes}/>'
        )

    def marker(self, x: float, y: float, kind: str, shape: int) -> None:
        """A dot, square, diamond or triangle: lines can be told apart without their colours."""
        corners = (
            [],
            [(-4, -4), (4, -4), (4, 4), (-4, 4)],
            [(0, -5), (5, 0), (0, 5), (-5, 0)],
            [(0, -5), (5, 4), (-5, 4)],
        )[shape % 4]
        if not corners:
            self._shapes.append(f'<circle class="{kind} mark" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
            return
        points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        self._shapes.append(f'<polygon class="{kind} mark" points="{points}"/>')

    def svg(self) -> str:
        """The whole document."""
        size = f'width="{self._width}" height="{self._height}"'
        view = f'viewBox="0 0 {self._width} {self._height}"'
        label = quoteattr(self._title)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img" '
            f'aria-label={label} font-family="{_FONT}">',
            f"<title>{escape(self._title)}</title>",
            f"<desc>{escape(self._description)}</desc>",
            f"<style>{_rules(1)} @media (prefers-color-scheme: dark) {{{_rules(2)}}}</style>",
            f'<rect class="back" width="{self._width}" height="{self._height}" rx="6"/>',
            *self._shapes,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


def _rules(theme: int) -> str:
    fills = [f".{row[0]}{{fill:{row[theme]}}}" for row in _FILLS]
    strokes = [f".{row[0]}{{stroke:{row[theme]}}}" for row in _STROKES]
    marks = [f".{row[0]}.mark{{fill:{row[theme]};stroke:none}}" for row in _STROKES]
    return "".join((*fills, *strokes, *marks))
