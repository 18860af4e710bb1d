"""What must be taken out of two servers' words before they can be compared."""

from __future__ import annotations

import re

from harness.wire import Response

# One line of the error log: `[date] [pid] [LEVEL] message`.
LOGGED = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] ")
# From CPython 3.13 on a frame shows every line of its statement, indented as in the file.
FRAME = re.compile(r"^ {2,}\S.*$|^\s*[\^~]+\s*$")
RIGHT_REASONS = {
    "HTTP/1.1 500 Bad Request": "Internal Server Error",
    "HTTP/1.1 501 Bad Request": "Not Implemented",
}
HEADINGS = ("Traceback (most recent call last)", "[Traceback (most recent call last)")
CHAINED = ("During handling of the above", "The above exception was the direct cause")
RULES: list[tuple[re.Pattern[str], str]] = [
    # Our own name, wherever Gunicorn says its own.
    (re.compile(r"\brgunicorn\b"), "gunicorn"),
    (re.compile(r"Starting gunicorn [\w.+-]+"), "Starting gunicorn VERSION"),
    (re.compile(r"\(version [^)]*\)"), "(version VERSION)"),
    (re.compile(r"0x[0-9a-f]+"), "0xADDRESS"),
    (re.compile(r"\(pid:\s?\d+\)|\(pid: \d+\)"), "(pid:PID)"),
    (re.compile(r"with pid: \d+"), "with pid: PID"),
    (re.compile(r"<Worker \d+>"), "<Worker PID>"),
    (re.compile(r"(Listening at: .*) \(\d+\)"), r"\1 (PID)"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\('127\.0\.0\.1', \d+\)"), "('127.0.0.1', PORT)"),
]


def text(words: str, directory: str = "") -> str:
    """`words` without names, pids, ports, addresses and the server's own directory."""
    if directory:
        words = words.replace(directory, "DIR")
    for pattern, replacement in RULES:
        words = pattern.sub(replacement, words)
    return words


def log_lines(log: str, directory: str = "") -> list[str]:
    """Lines of an error log as `[LEVEL] message`; of a traceback only its first and last line."""
    return without_frames([LOGGED.sub("", line) for line in text(log, directory).splitlines()])


def without_frames(lines: list[str]) -> list[str]:
    """Drops the frames between `Traceback` and the exception: they name each server's own files."""
    kept, inside = [], False
    for line in lines:
        if inside and FRAME.match(line):
            continue
        inside = line.startswith("Traceback (most recent call last)")
        kept.append(line)
    return kept


def essence(words: str, directory: str) -> list[str]:
    """What a command that ended said: of a traceback only the exception it is about.

    Frames, the heading, what was raised before and empty lines are left out: rgunicorn shows the
    frames of the user's files only, and no exception that was turned into another.
    """
    kept: list[str] = []
    for line in log_lines(words, directory):
        if line.startswith(CHAINED):
            # The exception above it was only the cause.
            kept.pop()
        elif line and not FRAME.match(line) and not line.startswith(HEADINGS):
            kept.append(line.lstrip("["))
    return kept


def sorted_log(log: str, directory: str = "") -> list[str]:
    """For logs several processes write: their lines interleave as the scheduler likes."""
    return sorted(log_lines(log, directory))


def response(found: Response) -> dict[str, object]:
    """A response without Date, and with Gunicorn's name in Server."""
    fields = [
        (name, text(value) if name == "Server" else value)
        for name, value in found.headers
        if name != "Date"
    ]
    return {
        "status": found.status_line,
        "headers": fields,
        "body": found.body,
        "trailers": found.trailers,
        "hints": found.hints,
    }


def with_right_reason(found: dict[str, object]) -> dict[str, object]:
    """Gunicorn's error response with the status's own phrase, difference error-reason."""
    right = RIGHT_REASONS.get(str(found.get("status")))
    if right is None:
        return found
    body = found["body"]
    fields = found["headers"]
    assert isinstance(body, bytes) and isinstance(fields, list)
    body = body.replace(b"Bad Request", right.encode())
    return {
        **found,
        "status": str(found["status"]).replace("Bad Request", right),
        "headers": [
            (name, str(len(body)) if name == "Content-Length" else value) for name, value in fields
        ],
        "body": body,
    }


def without_length(found: dict[str, object]) -> None:
    """Takes Content-Length from the fields of a response whose body names the server."""
    fields = found["headers"]
    assert isinstance(fields, list)
    found["headers"] = [field for field in fields if field[0] != "Content-Length"]


def environ(found: dict[str, list[object]]) -> dict[str, list[object]]:
    """An environ without this run's ports, this server's name and its private types."""
    # What we add is a row of docs/compatibility.md.
    found = {key: value for key, value in found.items() if not key.startswith("rgunicorn.")}
    for key in ("REMOTE_PORT", "SERVER_PORT"):
        if str(found.get(key, ["", ""])[1]).isdigit():
            found[key] = [found[key][0], "PORT"]
    found["SERVER_SOFTWARE"] = ["str", str(found["SERVER_SOFTWARE"][1]).split(" ")[0]]
    for key, (_, value) in found.items():
        if key.startswith(("wsgi.", "gunicorn.")) and value is None:
            found[key] = ["object", None]
    return found
