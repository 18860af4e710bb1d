"""The command `rgunicorn`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec

from rgunicorn import util
from rgunicorn.app.base import Application
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any


class WSGIApplication(Application):
    """A WSGI application that the command line, `wsgi_app` or `paste` names."""

    app_uri: str | None = None

    # Whether `app_uri` is a PasteDeploy file, with `#SECTION` perhaps.
    _is_paste = False

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> None:
        """Takes the app spec from the command line; further words are ignored, as by Gunicorn.

        Raises:
            ConfigError: the PasteDeploy file is not there.
        """
        # On a reload the working directory is `chdir`.
        self._directory = getattr(self, "_directory", None) or os.getcwd()
        self.app_uri, self._is_paste = None, False
        if opts.paste:
            self._use_paste(opts.paste)
        elif args:
            self.app_uri = args[0]
            self.cfg.set("default_proc_name", self.app_uri)

    def load_config(self) -> None:
        """Reads the configuration.

        Raises:
            ConfigError: no application is named anywhere, or the PasteDeploy file or its global
                configuration can not be used.
        """
        super().load_config()
        if self.app_uri is None and self.cfg.paste:
            self._use_paste(self.cfg.paste)
        if self._is_paste:
            self._check_global_conf()
        if self.app_uri is None:
            self.app_uri = self.cfg.wsgi_app
        if self.app_uri is None:
            raise ConfigError("No application module specified.")

    def load_wsgiapp(self) -> Any:
        """Imports the application."""
        if self.app_uri is None:
            raise ConfigError("No application module specified.")
        return util.import_app(self.app_uri)

    def load_pasteapp(self) -> Any:
        """Loads the application of the PasteDeploy file."""
        from rgunicorn.app.pasterapp import get_wsgi_app

        return get_wsgi_app(self.app_uri or "", defaults=self.cfg.paste_global_conf)

    def load(self) -> Any:
        """Imports the application, or loads it from its PasteDeploy file."""
        return self.load_pasteapp() if self._is_paste else self.load_wsgiapp()

    def _use_paste(self, uri: str) -> None:
        if find_spec("paste") is None or find_spec("paste.deploy") is None:
            raise ConfigError(
                f"paste = {uri!r} needs the package PasteDeploy: pip install PasteDeploy"
            )
        self.app_uri, self._is_paste = os.path.join(self._directory, uri), True
        self._use_ini(self.app_uri.partition("#")[0])

    def _check_global_conf(self) -> None:
        try:
            self.cfg.paste_global_conf  # noqa: B018 - a property that looks at each entry
        except RuntimeError:
            entries = self.cfg.raw_paste_global_conf
            raise ConfigError(
                f"raw_paste_global_conf = {entries!r}: each entry must be KEY=VALUE"
            ) from None

    def _use_ini(self, path: str) -> None:
        """Takes process name and logging from a PasteDeploy file, unless they are set already."""
        from rgunicorn.app.pasterapp import has_logging_config

        if not os.path.exists(path):
            raise ConfigError(f"{path!r} not found")
        self.cfg.set("default_proc_name", path)
        if has_logging_config(path) and self.cfg.logconfig is None:
            self.cfg.set("logconfig", path)


# First words that are no application, and who runs them.
COMMANDS = {
    "doctor": "rgunicorn.app.doctor",
    "import-uwsgi": "rgunicorn.app.import_uwsgi",
    "stats": "rgunicorn.app.stats",
    "top": "rgunicorn.app.top",
}


def run(prog: str | None = None) -> None:
    """Runs the command line of this process.

    The first word may be a command of our own; where a module of that name can be imported, it is
    the application, as in Gunicorn.

    Args:
        prog: name of the program in messages; that of `sys.argv[0]` if None.
    """
    command = COMMANDS.get("".join(sys.argv[1:2]))
    if command is not None and not _is_module(sys.argv[1]):
        sys.exit(import_module(command).main(sys.argv[2:]))
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


def _is_module(name: str) -> bool:
    """Whether `import name` finds code, from the working directory too; a mere directory of that
    name is none."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, [os.getcwd(), *sys.path])
    return spec is not None and spec.origin is not None


if __name__ == "__main__":
    run()
