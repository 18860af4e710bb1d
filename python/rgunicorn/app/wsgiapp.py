"""The command `rgunicorn`."""

from __future__ import annotations

import os
import sys

from rgunicorn import util
from rgunicorn.app.base import Application
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any


class WSGIApplication(Application):
    """A WSGI application that the command line or `wsgi_app` names."""

    app_uri: str | None = None

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> None:
        """Takes the app spec from the command line; further words are ignored, as by Gunicorn."""
        self.app_uri = args[0] if args else None
        if self.app_uri is not None:
            self.cfg.set("default_proc_name", self.app_uri)

    def load_config(self) -> None:
        """Reads the configuration.

        Raises:
            ConfigError: no application is named anywhere.
        """
        super().load_config()
        if self.app_uri is None:
            self.app_uri = self.cfg.wsgi_app
        # `paste` names an application as well; it is refused with a better text when it runs.
        if self.app_uri is None and self.cfg.paste is None:
            raise ConfigError("No application module specified.")

    def load_wsgiapp(self) -> Any:
        """Imports the application."""
        if self.app_uri is None:
            raise ConfigError("No application module specified.")
        return util.import_app(self.app_uri)

    def load(self) -> Any:
        """Imports the application."""
        return self.load_wsgiapp()


def run(prog: str | None = None) -> None:
    """Runs the command line of this process.

    The first word may be a command of our own; where a module of that name can be imported, it is
    the application, as in Gunicorn.

    Args:
        prog: name of the program in messages; that of `sys.argv[0]` if None.
    """
    if sys.argv[1:2] == ["doctor"] and not _is_module("doctor"):
        from rgunicorn.app.doctor import main

        sys.exit(main(sys.argv[2:]))
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


def _is_module(name: str) -> bool:
    """Whether `import name` finds code, from the working directory too; a mere directory of that
    name is none."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, [os.getcwd(), *sys.path])
    return spec is not None and spec.origin is not None


if __name__ == "__main__":
    run()
