"""The command `rgunicorn stats`: what a running server is at, as a table or as JSON.

`python -m rgunicorn.app.stats` is the same, whatever modules there are.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Says what a running rgunicorn is at: its workers, their requests and times, what they run. Works on
any server of the same user, as root on all, without a setting. Reads only.
"""
EPILOG = """\
exit code: 1 if there is no server to look at, 2 for a command line that can not be read, else 0
"""


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
        argv: the words after `stats`.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        "rgunicorn stats",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "-i",
        "--interval",
        type=seconds,
        metavar="SECONDS",
        help="look twice, so long apart: also what happens per second, and the times of that",
    )
    args = parser.parse_args(argv)

    from rgunicorn.top.document import document
    from rgunicorn.top.finding import NotFound, find
    from rgunicorn.top.reading import Ended, Reader
    from rgunicorn.top.report import as_json, as_text

    before = None
    try:
        reader = Reader(find(args.target, args.pidfile))
        if args.interval is not None:
            before = reader.sample()
            time.sleep(args.interval)
        found = document(reader.sample(shares=True), before)
    except NotFound as exc:
        print(f"rgunicorn stats: {exc}", file=sys.stderr)
        return 1
    except Ended:
        print("rgunicorn stats: the server has just ended", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        return say(as_json(found))
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else None
    return say(as_text(found, on_terminal and "NO_COLOR" not in os.environ, width))


def add_target(parser: argparse.ArgumentParser) -> None:
    """The words that say which server is meant."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "target",
        nargs="?",
        metavar="PID",
        help="the pid of the master or of a worker, or the path of the pidfile; "
        "without it the only server that runs here",
    )
    which.add_argument("-p", "--pid", dest="pidfile", metavar="FILE", help="the server's pidfile")


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    value = float(text)
    if not 0 < value <= 3600 or math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text}: a number above 0 and up to 3600")
    return value


def say(text: str) -> int:
    """Prints `text`; a reader that has left, as `head` does, is no error of ours."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
