"""The application object: reads the configuration, loads the application, runs the server.

`BaseApplication` is for embedding (subclasses say where settings and application come from);
`Application` adds the command line and the config file.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location

from rgunicorn import _alias, util
from rgunicorn.config import Config, get_default_config_file, refuse_conflicts, refuse_unbuilt
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from types import CodeType, ModuleType
    from typing import Any, NoReturn


class BaseApplication:
    """An application and its configuration, from any source.

    Subclasses define `load_config`, which calls `self.cfg.set`, and `load`, which returns the
    application. In a process with such an object `import gunicorn` means this package.

    Args:
        usage: first line of `--help`, with `%(prog)s` for the program.
        prog: name of the program in messages.

    Raises:
        SystemExit: with 1, after a message on stderr: the configuration is wrong.
    """

    cfg: Config
    callable: Any

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        _alias.install()
        self.usage = usage
        self.prog = prog
        self.callable = None
        self.logger = None
        self.do_load_config()

    def do_load_config(self) -> None:
        """Reads the configuration anew; exits with 1 and a message if it is wrong."""
        try:
            self.load_default_config()
            self.load_config()
        except Exception as exc:
            _exit_with(f"\nError: {exc}")

    def load_default_config(self) -> None:
        """Starts from the defaults."""
        self.cfg = Config(self.usage, prog=self.prog)

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> Any:
        """Settings of a framework, as a dict or None; everything else overrules them.

        Args:
            parser: what has read the command line.
            opts: the options.
            args: the words that are no options.
        """
        raise NotImplementedError

    def load(self) -> Any:
        """Imports and returns the application."""
        raise NotImplementedError

    def load_config(self) -> None:
        """Sets what differs from the defaults."""
        raise NotImplementedError

    def reload(self) -> None:
        """Reads the configuration anew, on HUP.

        Raises:
            SystemExit: with 1, after a message on stderr: it is wrong. This object, its `cfg` and
                the working directory are as before, so a caller who catches this can go on.
        """
        before, cwd = vars(self).copy(), os.getcwd()
        try:
            self.do_load_config()
            self._refuse_unusable()
        except SystemExit:
            # All of it, as subclasses keep what they read from the configuration.
            vars(self).update(before)
            os.chdir(cwd)
            raise
        if self.cfg.spew:
            _spew()

    def wsgi(self) -> Any:
        """The application, loaded on first use."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self) -> None:
        """Serves until the server is stopped.

        Raises:
            SystemExit: when the server stops.
        """
        self._refuse_unusable()

        from rgunicorn.arbiter import Arbiter

        try:
            Arbiter(self).run()
        except (RuntimeError, ConfigError) as exc:
            _exit_with(f"\nError: {exc}\n")

    def _refuse_unusable(self) -> None:
        try:
            refuse_conflicts(self.cfg)
            refuse_unbuilt(self.cfg)
        except ConfigError as exc:
            _exit_with(f"\nError: {exc}")
        except RuntimeError as exc:
            # Of the worker class; the arbiter would find the same error and end like this.
            _exit_with(f"\nError: {exc}\n")


class Application(BaseApplication):
    """An application that is configured by command line, environment and config file.

    From the weakest to the strongest: defaults, the dict that `init` returns, the config file,
    `GUNICORN_CMD_ARGS`, the command line. A value replaces a weaker one as a whole.
    """

    def chdir(self) -> None:
        """Changes to the configured directory and imports from there first."""
        os.chdir(self.cfg.chdir)
        if self.cfg.chdir not in sys.path:
            sys.path.insert(0, self.cfg.chdir)

    def load_config(self) -> None:
        """Reads command line, environment and config file."""
        parser = self.cfg.parser()
        args = parser.parse_args()
        framework = self.init(parser, args, args.args)

        # A config file may import what lies beside it.
        self.chdir()
        self._set_all((framework or {}).items())

        env_args = parser.parse_args(self.cfg.get_cmd_args_from_env())
        location = args.config or env_args.config or get_default_config_file()
        if location is not None:
            self.load_config_from_file(location)
        self._set_all(_given(env_args))
        self._set_all(_given(args))
        self.chdir()

    def load_config_from_file(self, filename: str) -> dict[str, Any]:
        """Sets what a config file sets; returns all of its names."""
        return self.load_config_from_module_name_or_filename(location=filename)

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """Sets what a config file or module sets; returns all of its names.

        Args:
            location: a path, `file:PATH` or `python:MODULE`.

        Raises:
            RuntimeError: there is no such file.
            ImportError: there is no such module.
            SystemExit: with 1, after a message and a traceback: executing it failed.
        """
        if location.startswith("python:"):
            cfg = self.get_config_from_module_name(location.removeprefix("python:"))
        else:
            cfg = self.get_config_from_filename(location.removeprefix("file:"))
        # Other names are the file's own business: imports, helpers, settings of other servers.
        self._set_all((name, value) for name, value in cfg.items() if name in self.cfg.settings)
        return cfg

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        """All names of an executed file."""
        if not os.path.exists(filename):
            raise RuntimeError(f"{filename!r} doesn't exist")
        try:
            return vars(_execute(filename))
        except Exception as exc:
            trace = util.user_traceback(exc).rstrip()
            _exit_with(f"Failed to read config file: {filename}\n{trace}")

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        """All names of an imported module."""
        return vars(import_module(module_name))

    def run(self) -> None:
        """Checks or prints the configuration if asked to, else serves.

        Raises:
            SystemExit: when it is checked, or when the server stops.
        """
        if self.cfg.print_config:
            _print(str(self.cfg))
        # The worker class may be in one of its directories.
        self._set_python_path()
        self._refuse_unusable()
        if self.cfg.print_config or self.cfg.check_config:
            self._check()

        if self.cfg.spew:
            _spew()
        if self.cfg.daemon:
            if os.environ.get("NOTIFY_SOCKET"):
                print(
                    "Warning: you shouldn't specify `daemon = True`"
                    " when launching by systemd with `Type = notify`",
                    file=sys.stderr,
                    flush=True,
                )
            util.daemonize(self.cfg.enable_stdio_inheritance)
        super().run()

    def _check(self) -> NoReturn:
        try:
            # Loads it; the arbiter would.
            _ = self.cfg.logger_class
            os.environ.update(self.cfg.env)
        except (RuntimeError, ConfigError) as exc:
            _exit_with(f"\nError: {exc}")
        try:
            self.load()
        except Exception as exc:
            trace = util.user_traceback(exc).rstrip()
            _exit_with(f"\nError while loading the application:\n\n{trace}")
        sys.exit(0)

    def _set_python_path(self) -> None:
        for path in (self.cfg.pythonpath or "").split(","):
            absolute = os.path.abspath(path)
            if path and absolute not in sys.path:
                sys.path.insert(0, absolute)

    def _set_all(self, values: Iterable[tuple[str, Any]]) -> None:
        for name, value in values:
            try:
                self.cfg.set(name.lower(), value)
            except Exception:
                # A name that is no setting, from a framework's dict, has a message of its own.
                if name.lower() in self.cfg.settings:
                    print(f"Invalid value for {name}: {value}\n", file=sys.stderr, flush=True)
                raise


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: the bytecode cache goes by seconds, and would hand an edit
    of this second's file the old code on HUP."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _execute(filename: str) -> ModuleType:
    extension = os.path.splitext(filename)[1]
    if extension not in (".py", ".pyc"):
        util.warn("configuration file should have a valid Python extension.\n")
    loader = None if extension == ".pyc" else _SourceLoader("__config__", filename)
    spec = spec_from_file_location("__config__", filename, loader=loader)
    if spec is None or spec.loader is None:
        raise ImportError(f"{filename!r} can not be imported")
    module = module_from_spec(spec)
    # Hooks of the file can be pickled and inspected only when their module can be found.
    sys.modules["__config__"] = module
    spec.loader.exec_module(module)
    return module


def _given(args: Namespace) -> Iterable[tuple[str, Any]]:
    return ((k, v) for k, v in vars(args).items() if k != "args" and v is not None)


def _print(text: str) -> None:
    """Writes to stdout; a reader that has seen enough (`| head`) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The interpreter flushes stdout at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _spew() -> None:
    from rgunicorn import debug

    debug.spew()


def _exit_with(text: str) -> NoReturn:
    print(text, file=sys.stderr, flush=True)
    sys.exit(1)
