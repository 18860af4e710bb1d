"""`Config`: the one store of all settings, and the names that Gunicorn has in this module.

Settings are declared in `rgunicorn.settings`; where values come from (command line, files) is
`rgunicorn.app.base`. Defaults live in the declarations only.
"""

from __future__ import annotations

import os
import sys

from rgunicorn import __version__, settings, util
from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import (
    KNOWN_SETTINGS,
    Setting,
    Unbuilt,
    auto_int,
    make_settings,
)
from rgunicorn.settings.logging import LoggerClass
from rgunicorn.settings.own import refuse_conflicts
from rgunicorn.settings.unbuilt import refuse_unbuilt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    def __getattr__(name: str) -> Any:
        """For type checkers: the names that `_declarations` puts here."""


__all__ = [
    "KNOWN_SETTINGS",
    "Config",
    "ConfigError",
    "Setting",
    "Unbuilt",
    "auto_int",
    "get_default_config_file",
    "make_settings",
    "refuse_conflicts",
    "refuse_unbuilt",
]


def _declarations() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for module in (*settings.DECLARATIONS, settings.validators):
        for name, value in vars(module).items():
            is_setting = isinstance(value, type) and issubclass(value, Setting)
            if is_setting or name.startswith("validate_"):
                names[name] = value
    return names


_COUNTING_LOGGER = "gunicorn.instrument.statsd.Statsd"

# Gunicorn declares everything in this module, so `gunicorn.config.AccessLogFormat` and
# `gunicorn.config.validate_bool` are imported from here.
globals().update(_declarations())


class Config:
    """All settings and their values.

    Values are read as attributes (`cfg.workers`) and changed by `set`. Some attributes are more
    than the setting of their name; they are the properties below.

    Args:
        usage: first line of `--help`, with `%(prog)s` for the program.
        prog: name of the program in messages; the base name of `sys.argv[0]` if None.

    Raises:
        ConfigError: an environment variable holds no value for the default it stands for.
    """

    settings: dict[str, Setting]

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.settings = make_settings()
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0])
        self.env_orig = os.environ.copy()

    def __str__(self) -> str:
        width = max(map(len, self.settings))
        return "\n".join(
            f"{name:{width}} = {_shown(setting.value)}"
            for name, setting in sorted(self.settings.items())
        )

    def __getattr__(self, name: str) -> Any:
        # `settings` itself is missing while an instance is unpickled or copied.
        if name == "settings":
            raise AttributeError(name)
        try:
            setting = self.settings[name]
        except KeyError:
            raise AttributeError(f"No configuration setting for: {name}") from None
        return setting.get()

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "settings" and name in self.settings:
            raise AttributeError("Invalid access!")
        super().__setattr__(name, value)

    def set(self, name: str, value: Any) -> None:
        """Validates `value` and stores it.

        Raises:
            AttributeError: there is no setting of that name.
            ValueError, TypeError, ConfigError: the validator refuses the value.
        """
        if name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        self.settings[name].set(value)

    def parser(self) -> ArgumentParser:
        """The command line: every setting that has flags, under the heading of its section."""
        import argparse

        from rgunicorn.settings.flags import Parser

        parser = Parser(usage=self.usage, prog=self.prog)
        parser.add_argument(
            "-v",
            "--version",
            action="version",
            default=argparse.SUPPRESS,
            version=f"%(prog)s (version {__version__})\n",
            help="show program's version number and exit",
        )
        parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)

        groups: dict[str | None, Any] = {}
        for setting in sorted(self.settings.values(), key=lambda setting: setting.order):
            if not setting.cli:
                continue
            section = setting.section
            if section not in groups:
                groups[section] = parser.add_argument_group(section)
            setting.add_option(groups[section])
        return parser

    def get_cmd_args_from_env(self) -> list[str]:
        """The words of `GUNICORN_CMD_ARGS`, split as a shell does."""
        words = self.env_orig.get("GUNICORN_CMD_ARGS")
        if words is None:
            return []

        import shlex

        try:
            return shlex.split(words)
        except ValueError as exc:
            raise ConfigError(f"GUNICORN_CMD_ARGS={words!r}: {exc}") from exc

    @property
    def worker_class_str(self) -> str:
        """The worker class as log lines show it."""
        uri = self.settings["worker_class"].get()
        if not isinstance(uri, str):
            return uri.__name__
        return "gthread" if self._sync_becomes_gthread(uri) else uri

    @property
    def worker_class(self) -> Any:
        """The worker class; reading it calls the class's `setup()` if it has one.

        Raises:
            RuntimeError: it can not be loaded.
        """
        uri = self.settings["worker_class"].get()
        if isinstance(uri, str) and self._sync_becomes_gthread(uri):
            uri = "gthread"
        worker_class = util.load_class(uri)
        if hasattr(worker_class, "setup"):
            worker_class.setup()
        return worker_class

    def _sync_becomes_gthread(self, uri: str) -> bool:
        return self.threads > 1 and (uri == "sync" or uri.endswith("SyncWorker"))

    @property
    def logger_class(self) -> Any:
        """The logger class; reading it calls the class's `install()` if it has one.

        With `statsd_host`, the default is the class that sends metrics as well.

        Raises:
            RuntimeError: it can not be loaded.
        """
        uri = self.settings["logger_class"].get()
        if uri in ("simple", LoggerClass.default, "rgunicorn.glogging.Logger"):
            uri = LoggerClass.default if self.statsd_host is None else _COUNTING_LOGGER
        logger_class = util.load_class(
            uri,
            default=LoggerClass.default,
            section="gunicorn.loggers",
        )
        if hasattr(logger_class, "install"):
            logger_class.install()
        return logger_class

    @property
    def address(self) -> list[str | int | tuple[str, int]]:
        """What to listen on, as `util.parse_address` returns it.

        Raises:
            RuntimeError: a port or a descriptor is no number.
        """
        return [util.parse_address(util.bytes_to_str(bind)) for bind in self.bind]

    @property
    def uid(self) -> int:
        """User id of the workers."""
        return self.user

    @property
    def gid(self) -> int:
        """Group id of the workers."""
        return self.group

    @property
    def proc_name(self) -> str:
        """Name of this server in process titles."""
        name = self.settings["proc_name"].get()
        return self.default_proc_name if name is None else name

    @property
    def is_ssl(self) -> bool:
        """Whether the listeners speak TLS."""
        return bool(self.certfile or self.keyfile)

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The TLS settings by name, as workers of other packages pass them on."""
        return {
            name: setting.get()
            for name, setting in self.settings.items()
            if setting.section == "SSL"
        }

    @property
    def env(self) -> dict[str, str]:
        """`raw_env` as a dict.

        Raises:
            RuntimeError: an entry has no `=`.
        """
        return dict(_pair(util.bytes_to_str(entry)) for entry in self.raw_env)

    @property
    def sendfile(self) -> bool:
        """Whether files may be sent by sendfile(2)."""
        given = self.settings["sendfile"].get()
        if given is not None:
            return given
        word = os.environ.get("SENDFILE")
        return word is None or word.lower() in ("y", "1", "yes", "true")

    @property
    def reuse_port(self) -> bool:
        """Whether each worker binds listeners of its own."""
        return self.settings["reuse_port"].get()

    @property
    def paste_global_conf(self) -> dict[str, str]:
        """`raw_paste_global_conf` as a dict; a backslash before `=` makes it part of the text.

        Raises:
            RuntimeError: an entry has no `=`.
        """
        conf = {}
        for entry in self.raw_paste_global_conf:
            # A character that no argument can hold stands for the escaped sign.
            key, value = _pair(util.bytes_to_str(entry).replace("\\=", "\0"))
            conf[key.replace("\0", "=")] = value.replace("\0", "=")
        return conf


def get_default_config_file() -> str | None:
    """Path of `gunicorn.conf.py` in the working directory, None if there is none."""
    path = os.path.join(os.path.abspath(os.getcwd()), "gunicorn.conf.py")
    return path if os.path.exists(path) else None


def _pair(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals:
        raise RuntimeError(f"environment setting {entry!r} invalid")
    return name, value


def _shown(value: Any) -> Any:
    if not callable(value):
        return value
    return f"<{getattr(value, '__qualname__', value)}()>"
