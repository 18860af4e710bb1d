"""What `rgunicorn import-uwsgi` makes of a text, without a process.

`python tests/uwsgi_import/imported.py` writes the expected files of `samples/` anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from rgunicorn import __version__
from rgunicorn.uwsgi_import import reading, writing
from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.translation import translate, virtualenv

SAMPLES = Path(__file__).parent / "samples"
LOCATIONS = (
    "quickstart.ini",
    "flask.ini",
    "django.ini",
    "hardened.ini",
    "learning.ini",
    "several.xml:shop",
    "several.xml:admin",
)


def expected(location: str) -> Path:
    """Where the expected file of a sample is."""
    return SAMPLES / f"{location.replace('.', '_').replace(':', '_')}.expected"


def converted(location: str, environ: Mapping[str, str] | None = None) -> tuple[Draft, str]:
    """The draft of a file, and the config file."""
    found = reading.read(location, None, environ or {})
    draft = translate(found)
    text = writing.as_file(draft, location, virtualenv(found), "gunicorn.conf.py")
    return draft, text.replace(f"import-uwsgi {__version__} ", "import-uwsgi VERSION ")


def of_lines(directory: Path, *lines: str, **environ: str) -> Draft:
    """The draft of an ini file of these lines."""
    path = directory / "uwsgi.ini"
    path.write_text("\n".join(("[uwsgi]", *lines, "")))
    return converted(str(path), environ)[0]


def settings(draft: Draft, *without: str) -> dict[str, object]:
    """Settings by name; those that stand for a default of uWSGI are left out, and `without`."""
    return {
        name: line.value
        for name, line in draft.lines.items()
        if line.sources and name not in without
    }


def left(draft: Draft) -> list[tuple[str, Fate]]:
    """Options that are not in the file, with their fate."""
    return [(one.option.name, one.fate) for one in draft.left]


def executed(text: str) -> dict[str, object]:
    """The names that a config file binds."""
    names: dict[str, object] = {}
    exec(compile(text, "gunicorn.conf.py", "exec"), names)
    return {name: value for name, value in names.items() if not name.startswith("__")}


if __name__ == "__main__":
    with contextlib.chdir(SAMPLES):
        for each in LOCATIONS:
            expected(each).write_text(converted(each)[1])
    print(f"written: {', '.join(sorted(os.listdir(SAMPLES)))}")
