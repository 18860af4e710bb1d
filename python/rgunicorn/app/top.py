"""The command `rgunicorn top`: a running server, live.

`python -m rgunicorn.app.top` is the same, whatever modules there are.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

from rgunicorn.app.stats import add_target, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Shows a running rgunicorn, live: its workers, the requests that they run, requests per second and
their times. Works on any server of the same user, as root on all, without a setting. Reads only:
no key does anything to the server.
"""
EPILOG = """\
keys: q quit, s or arrows sort by another column, r reverse, p pause, + and - faster and slower,
enter all requests of a worker

exit code: 1 if there is no server to look at, 2 for a command line that can not be read, else 0
"""


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
        argv: the words after `top`.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        "rgunicorn top",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_target(parser)
    parser.add_argument(
        "-i",
        "--interval",
        type=seconds,
        default=1.0,
        metavar="SECONDS",
        help="time between two looks (1)",
    )
    args = parser.parse_args(argv)
    if find_spec("textual") is None:
        return _fail("needs the package textual: pip install 'rgunicorn[top]'")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _fail("needs a terminal; rgunicorn stats prints the same once")

    from rgunicorn.top.finding import NotFound
    from rgunicorn.top.watch import Watch

    try:
        watch = Watch(args.target, args.pidfile)
    except NotFound as exc:
        return _fail(str(exc))

    from rgunicorn.top.screen import Top

    app = Top(watch, args.interval, sys.stdin.fileno())
    end = app.run()
    if end:
        print(f"rgunicorn top: {end}")
    return app.return_code or 0


def _fail(why: str) -> int:
    print(f"rgunicorn top: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
