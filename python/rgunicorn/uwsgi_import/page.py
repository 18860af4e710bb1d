"""Makes the table of docs/coming-from/uwsgi.md: `python -m rgunicorn.uwsgi_import.page PAGE`."""

from __future__ import annotations

import sys
from pathlib import Path

from rgunicorn.uwsgi_import import rows_elsewhere, rows_missing, rows_settings, rows_unneeded
from rgunicorn.uwsgi_import.row import Row

BEGIN = "<!-- begin: made by `python -m rgunicorn.uwsgi_import.page` -->"
END = "<!-- end -->"

_SETTINGS = (
    ("Application", rows_settings.APPLICATION),
    ("Addresses", rows_settings.ADDRESSES),
    ("Processes", rows_settings.PROCESSES),
    ("Replacing workers", rows_settings.RECYCLING),
    ("Times", rows_settings.DEADLINES),
    ("Requests and files", rows_settings.REQUESTS),
    ("Logs and status", rows_settings.LOGGING),
)
_OTHERS = (
    ("Done elsewhere", rows_elsewhere.ROWS),
    ("No equivalent", rows_missing.ROWS),
    ("Not needed", rows_unneeded.ROWS),
)


def tables() -> str:
    """All rows as Markdown tables."""
    parts: list[str] = []
    for title, rows in _SETTINGS:
        parts += ["", f"### {title}", "", "| uWSGI | becomes | |", "|---|---|---|"]
        parts += [_cells(_names(row), _ticked(row.becomes), row.text) for row in rows]
    for title, rows in _OTHERS:
        has_instead = any(row.instead for row in rows)
        head = (
            "| uWSGI | why | instead |\n|---|---|---|"
            if has_instead
            else "| uWSGI | why |\n|---|---|"
        )
        parts += ["", f"### {title}", "", head]
        for row in rows:
            cells = [_names(row), row.text, *([row.instead] if has_instead else [])]
            parts.append(_cells(*cells))
    return "\n".join(parts[1:])


def filled(page: str) -> str:
    """The page with its tables made anew."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def _names(row: Row) -> str:
    return _ticked(row.names)


def _ticked(names: tuple[str, ...]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
