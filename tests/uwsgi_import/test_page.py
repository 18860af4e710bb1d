"""docs/coming-from/uwsgi.md has the table of the code."""

from __future__ import annotations

from harness.server import TESTS
from rgunicorn.uwsgi_import.page import filled
from rgunicorn.uwsgi_import.table import ROWS

PAGE = TESTS.parent / "docs/coming-from/uwsgi.md"


def test_the_page_is_up_to_date() -> None:
    """`python -m rgunicorn.uwsgi_import.page docs/coming-from/uwsgi.md` makes it anew."""
    text = PAGE.read_text()
    assert text == filled(text)
    for row in ROWS:
        for name in row.names:
            assert text.count(f"`{name}`") >= 1
