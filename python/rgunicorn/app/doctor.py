"""The command `rgunicorn doctor`: loads what the server would load, examines it, reports.

`python -m rgunicorn.app.doctor` is the same, whatever modules there are.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import threading

from rgunicorn import util
from rgunicorn.app.wsgiapp import WSGIApplication
from rgunicorn.doctor.examination import examine
from rgunicorn.doctor.finding import ERROR, WARNING, Finding
from rgunicorn.doctor.machine import Machine
from rgunicorn.doctor.report import as_json, as_text
from rgunicorn.doctor.source import Source
from rgunicorn.doctor.subject import Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

DESCRIPTION = """\
Says what of a configuration is unknown, ignored, deprecated, refused or risky here, where it comes
from and which line to change. Reads the command line, the config file and the environment that the
server reads, and imports the application, as --check-config does. Starts nothing.

All options of rgunicorn are taken as well: rgunicorn --help.
"""
EPILOG = """\
exit code: 1 if the server would not start (with --strict also for warnings), 2 for a command line
that can not be read, else 0
"""


class _Examined(WSGIApplication):
    """Loads as the server does, remembers where things come from, and does not exit."""

    def __init__(self) -> None:
        self.location: str | None = None
        self.names: dict[str, Any] = {}
        super().__init__("%(prog)s [OPTIONS] [APP_MODULE]", prog="rgunicorn")

    def do_load_config(self) -> None:
        self.load_default_config()

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        self.location = location
        return super().load_config_from_module_name_or_filename(location)

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        self.names = super().get_config_from_filename(filename)
        return self.names

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        self.names = super().get_config_from_module_name(module_name)
        return self.names

    def import_app(self) -> None:
        """Imports the application as the server would, in this process."""
        self._set_python_path()
        os.environ.update(self.cfg.env)
        self.load()


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
        argv: the words after `doctor`.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        "rgunicorn doctor",
        usage="%(prog)s [--json] [--strict] [--no-app] [OPTIONS] [APP_MODULE]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument("--no-app", action="store_true", help="do not import the application")
    own, rest = parser.parse_known_args(argv)

    sys.argv = ["rgunicorn", *rest]
    # What config file and application print must not get into the report.
    with contextlib.redirect_stdout(sys.stderr):
        subject = load(import_app=not own.no_app)
    found = examine(subject, Machine())
    print(as_json(found) if own.json else as_text(found), flush=True)
    bad = (ERROR, WARNING) if own.strict else (ERROR,)
    return int(any(finding.severity in bad for finding in found))


def load(import_app: bool = True) -> Subject:
    """The configuration that `sys.argv` and the environment make, as far as it can be loaded.

    Args:
        import_app: also import the application.

    Raises:
        SystemExit: with 2, the command line can not be read; `--help` and `--version`.
    """
    environ = dict(os.environ)
    threads = set(threading.enumerate())
    app = _Examined()
    failures = []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            app.load_config()
    except SystemExit as exc:
        if exc.code != 1:
            sys.stderr.write(said.getvalue())
            raise
        failures.append(_failure(app, said.getvalue(), None))
    except Exception as exc:
        failures.append(_failure(app, said.getvalue(), exc))
    # That no application is named is found out last.
    complete = not failures or (app.app_uri is None and failures[0].check == "no-application")

    parser = app.cfg.parser()
    flags = _given(parser.parse_args())
    env_flags = {}
    with contextlib.suppress(Exception):
        # Words that can not be split are among the failures already.
        env_flags = _given(parser.parse_args(app.cfg.get_cmd_args_from_env()))
    subject = Subject(
        app.cfg,
        flags,
        env_flags,
        app.names,
        _source(app),
        environ,
        failures,
        complete,
        app.app_uri,
        positional=bool(parser.parse_args().args),
    )
    if import_app and app.app_uri is not None and not failures and _has_env(app):
        subject.app_error = _import(app)
        subject.modules = dict(sys.modules)
        subject.threads = sorted(
            thread.name for thread in threading.enumerate() if thread not in threads
        )
    return subject


def _given(args: argparse.Namespace) -> dict[str, Any]:
    return {k: v for k, v in vars(args).items() if k != "args" and v is not None}


def _source(app: _Examined) -> Source | None:
    if app.location is None:
        return None
    path = app.location.removeprefix("file:")
    if path.startswith("python:"):
        module = sys.modules.get(path.removeprefix("python:"))
        path = getattr(module, "__file__", None) or path
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        text = ""
    return Source(os.path.relpath(path) if os.path.isabs(path) else path, text)


def _failure(app: _Examined, said: str, exc: Exception | None) -> Finding:
    """What ended the loading, with the setting if one is to blame."""
    named = re.search(r"^Invalid value for (\w+): (.*)$", said, re.MULTILINE)
    if named is not None:
        setting = app.cfg.settings.get(named[1].lower())
        values = re.sub(r"\s+", " ", setting.desc).partition(". ")[0] if setting else ""
        return Finding(
            ERROR,
            "bad-value",
            str(exc),
            f"{named[1]} = …   ({values.rstrip('.')})",
            named[1],
            named[2],
            _where(app, named[1]),
        )
    if exc is not None:
        if app.app_uri is None and "No application" in str(exc):
            change = "rgunicorn doctor MODULE:OBJECT, or wsgi_app in the config file"
            return Finding(ERROR, "no-application", str(exc), change)
        change = "correct what the message names: the server ends with it"
        return Finding(ERROR, "configuration", str(exc), change)
    first, _, details = said.strip().partition("\n")
    return Finding(
        ERROR,
        "configuration",
        first.strip(),
        "correct the file",
        origin=app.location,
        details=details,
    )


def _where(app: _Examined, name: str) -> str | None:
    source = _source(app)
    if source is not None and name in app.names and name in source.bound:
        return f"{source.path}:{source.bound[name]}"
    return None


def _has_env(app: _Examined) -> bool:
    """Whether `raw_env` can be read; a check says what is wrong with it."""
    try:
        return app.cfg.env is not None
    except RuntimeError:
        return False


def _import(app: _Examined) -> str | None:
    try:
        app.import_app()
    except SystemExit as exc:
        return f"it ends the process while it is imported: SystemExit: {exc.code}"
    except Exception as exc:
        return util.user_traceback(exc)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
