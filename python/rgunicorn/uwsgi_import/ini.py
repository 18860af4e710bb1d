"""uWSGI's own dialect of ini. It is not that of Python's configparser.

A line is a section in brackets, a comment if it begins with `;` or `#`, or `name = value`. Names
may come back, a name alone has an empty value, nothing continues in the next line, and there is no
comment behind a value. What stands before the first section belongs to none.
"""

from __future__ import annotations

from rgunicorn.uwsgi_import.option import Option, Place

# What uWSGI strips; other white space is part of the value.
BLANKS = " \t\r"


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
        line = raw.partition("\0")[0].strip(BLANKS)
        if line.startswith("["):
            # uWSGI takes the last character off, whatever it is.
            current = line[1:-1]
        elif line and line[0] not in ";#" and current == section:
            name, _, value = line.partition("=")
            found.append(
                Option(
                    name.rstrip(BLANKS),
                    value.lstrip(BLANKS),
                    Place(file, number),
                    line,
                )
            )
    return found or None
