"""PasteDeploy: applications from an ini file (`paste`), and the server that `pserve` runs.

`[server:main]` with `use = egg:rgunicorn#main` leads to `serve`.
"""

from __future__ import annotations

import configparser
import os
import re
from importlib import import_module

from rgunicorn.app.wsgiapp import WSGIApplication
from rgunicorn.config import get_default_config_file
from rgunicorn.errors import AppImportError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SCHEME = re.compile(r"[a-z]+:")


def get_wsgi_app(
    config_uri: str, name: str | None = None, defaults: Mapping[str, str] | None = None
) -> Any:
    """The application of a PasteDeploy file.

    Args:
        config_uri: `FILE` or `FILE#SECTION`, relative to the working directory; or what
            PasteDeploy reads with a scheme, as `egg:DIST#NAME`.
        name: the section, unless `config_uri` names one.
        defaults: more options for the file's `[DEFAULT]` section.

    Raises:
        ConfigError: PasteDeploy is not installed.
        AppImportError: the file has no such section, or its words do not lead to an application.
        Exception: whatever the application's factory raises.
    """
    try:
        loadapp = import_module("paste.deploy").loadapp
    except ImportError as exc:
        raise ConfigError(
            f"paste = {config_uri!r} needs the package PasteDeploy ({exc}): pip install PasteDeploy"
        ) from exc
    uri = config_uri if _SCHEME.match(config_uri) else f"config:{config_uri}"
    try:
        return loadapp(uri, name=name, relative_to=os.getcwd(), global_conf=defaults)
    except (LookupError, ImportError) as exc:
        if not _is_of(exc, "paste.deploy"):
            raise
        raise AppImportError(f"{config_uri}: {exc}") from None


def has_logging_config(config_file: str) -> bool:
    """Whether an ini file has a `[loggers]` section, as `logging.config.fileConfig` reads.

    Raises:
        configparser.Error: it is no ini file.
    """
    # PasteDeploy lets an option stand twice.
    parser = configparser.RawConfigParser(strict=False)
    parser.read(config_file)
    return parser.has_section("loggers")


def serve(app: Any, global_conf: Mapping[str, str] | None, **local_conf: Any) -> None:
    """The `paste.server_runner` entry point: serves `app` until the server is stopped.

    Args:
        app: the WSGI application.
        global_conf: `[DEFAULT]` of the ini file, and its path as `__file__`.
        local_conf: the options of its `[server:...]` section: `host` and `port`, or `host` with
            several addresses and commas between; `config`, a config file; the rest are settings,
            and stronger than the config file.

    Raises:
        SystemExit: when the server stops, or the configuration is wrong.
    """
    _PasteServer(app, (global_conf or {}).get("__file__"), local_conf).run()


class _PasteServer(WSGIApplication):
    """An application that somebody else has loaded, configured by a section of an ini file."""

    def __init__(self, app: Any, ini: str | None, options: dict[str, Any]) -> None:
        self.app = app
        self.ini = ini
        self.options = {key: value for key, value in options.items() if value is not None}
        # By name from here: on a reload the working directory is `chdir`.
        location = self.options.pop("config", None) or get_default_config_file()
        if location is not None and not location.startswith(("python:", "file:")):
            location = os.path.abspath(location)
        self.location: str | None = location
        super().__init__()

    def load_config(self) -> None:
        """Reads the config file, then the options. Nothing here is for the command line: those
        are the words of `pserve`."""
        if self.ini is not None:
            self._use_ini(self.ini)
        options = dict(self.options)
        host, port = options.pop("host", ""), options.pop("port", "")
        bind = _bind(str(host), str(port))
        if bind:
            options.setdefault("bind", bind)
        if self.location is not None:
            self.load_config_from_file(self.location)
        self._set_all(options.items())
        os.chdir(self.cfg.chdir)

    def load(self) -> Any:
        """The application."""
        return self.app


def _is_of(exc: Exception, package: str) -> bool:
    """Whether an exception was raised by the code of `package` itself."""
    tb = exc.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_globals.get("__name__", "").startswith(package)


def _bind(host: str, port: str) -> list[str]:
    if not port:
        return [entry.strip() for entry in host.split(",") if entry.strip()]
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return [f"{host or '127.0.0.1'}:{port}"]
