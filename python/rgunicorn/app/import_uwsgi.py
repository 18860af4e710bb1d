"""The command `rgunicorn import-uwsgi`: from a configuration of uWSGI to a config file.

`python -m rgunicorn.app.import_uwsgi` is the same, whatever modules there are.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys

from rgunicorn.uwsgi_import import reading, report, writing
from rgunicorn.uwsgi_import.option import Unreadable
from rgunicorn.uwsgi_import.translation import translate, virtualenv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
Reads a configuration of uWSGI and writes a gunicorn.conf.py that says the same, as far as it can be
said. Each setting has the uWSGI line that it comes from, and what differs. What has no equivalent
is at the end of the file, and on stderr, with the reason and what to use instead.

Reads ini, XML, JSON and YAML (with PyYAML), and the files that they include. Nothing that the file
names is run, loaded or fetched.
"""
EPILOG = """\
exit code: 1 if the file can not be read or the output not be written, 2 for a command line that can
not be read, 3 with --strict if something is left to do (the output is written all the same), else 0
"""


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
        argv: the words after `import-uwsgi`.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        "rgunicorn import-uwsgi",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "file", metavar="FILE", help="a file, FILE:SECTION, or - for standard input"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write to a new file instead of standard output"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --output")
    parser.add_argument(
        "--format", choices=reading.FORMATS, help="of the file; by default its name tells"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 3 if something is left to do"
    )
    parser.add_argument("--quiet", action="store_true", help="no summary on stderr")
    args = parser.parse_args(argv)

    name = os.path.basename(args.output or "") or "gunicorn.conf.py"
    try:
        found = reading.read(args.file, args.format, os.environ)
        draft = translate(found)
        text = writing.as_file(draft, _title(found.title), virtualenv(found), name)
        _write(text, args.output, args.force, found.mode)
    except Unreadable as exc:
        print(writing.plain(f"Error: {exc}"), file=sys.stderr)
        return 1
    if not args.quiet:
        _say(report.as_text(draft, _title(found.title)))
    return 3 if args.strict and not report.is_complete(draft) else 0


def _title(title: str) -> str:
    return "standard input" if title == "-" else title


def _write(text: str, output: str | None, force: bool, mode: int) -> None:
    # Names of files are bytes; those that are no UTF-8 are written as escapes already.
    data = text.encode()
    try:
        if output is None or output == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            return
        # No more people may read it than the file it is made of: that may hold passwords.
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        with open(os.open(output, flags, mode), "wb") as file:
            before = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(before):
                os.fchmod(file.fileno(), stat.S_IMODE(before) & (mode | stat.S_IWUSR))
            file.write(data)
    except FileExistsError:
        raise Unreadable(f"{output} exists; --force replaces it") from None
    except BrokenPipeError:
        # Whoever reads has seen enough; what is still buffered must not fail at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise Unreadable(f"{output or 'standard output'}: {reason}") from None


def _say(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
