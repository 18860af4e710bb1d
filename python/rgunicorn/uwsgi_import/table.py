"""All rows: which option becomes what."""

from __future__ import annotations

import difflib

from rgunicorn.uwsgi_import import rows_elsewhere, rows_missing, rows_settings, rows_unneeded
from rgunicorn.uwsgi_import.row import Row

ROWS: tuple[Row, ...] = (
    *rows_settings.ROWS,
    *rows_unneeded.ROWS,
    *rows_elsewhere.ROWS,
    *rows_missing.ROWS,
)

_EXACT = {name: row for row in ROWS for name in row.names if not name.endswith("*")}
# The longest first: it says most.
_BEGINNINGS = sorted(
    ((name[:-1], row) for row in ROWS for name in row.names if name.endswith("*")),
    key=lambda entry: -len(entry[0]),
)


def find(name: str) -> Row | None:
    """The row of an option; None if it is not known."""
    if name in _EXACT:
        return _EXACT[name]
    return next((row for start, row in _BEGINNINGS if name.startswith(start)), None)


def similar(name: str) -> str | None:
    """The known option that looks most like a name; None if none does."""
    close = difflib.get_close_matches(name[:60].replace("_", "-").lower(), _EXACT, 1, 0.8)
    return close[0] if close else None
