"""uWSGI's own dialect of ini. It is not that of Python's configparser.

A line is a section in brackets, a comment if it begins with `;` or `#`, or `name = value`. Names
may come back, a name alone is a flag, nothing continues in the next line, and there is no comment
behind a value. What stands before the first section belongs to none.
"""

from __future__ import annotations

from rgunicorn.uwsgi_import.option import Option, Place

# What uWSGI strips; other white space is part of the value.
_BLANKS = " \t\r"


def read(text: str, file: str, section: str) -> list[Option] | None:
    """The options of a section, in their order; of all its parts if it comes back.

    Args:
        text: of the whole file.
        file: its name in messages.
        section: without brackets.

    Returns:
        None if there is no line in such a section.
    """
    found: list[Option] = []
    current = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("\0")[0].strip(_BLANKS)
        if line.startswith("["):
            # uWSGI takes the last character off, whatever it is.
            current = line[1:-1]
        elif line and line[0] not in ";#" and current == section:
            name, equals, value = line.partition("=")
            found.append(
                Option(
                    name.rstrip(_BLANKS),
                    value.lstrip(_BLANKS) if equals else None,
                    Place(file, number),
                    line,
                )
            )
    return found or None
