"""Gunicorn's logger: `gunicorn.error` and `gunicorn.access` on the standard `logging` package.

The names here, public and private, are Gunicorn's: subclasses in the wild override `setup`,
`access`, `atoms` and `now`, and call `_set_handler` from their own `setup`.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rgunicorn import _core, logconfig, logfiles, loghandlers, named_access, syslog
from rgunicorn.atoms import MORE, SafeAtoms, atoms_of, more_atoms, status_of
from rgunicorn.logconfig import CONFIG_DEFAULTS
from rgunicorn.syslog import SYSLOG_FACILITIES, parse_syslog_address

__all__ = [
    "CONFIG_DEFAULTS",
    "SYSLOG_FACILITIES",
    "Logger",
    "SafeAtoms",
    "loggers",
    "parse_syslog_address",
]

_STANDARD_FDS = (1, 2)


def loggers() -> list[logging.Logger]:
    """All loggers made so far, the root logger left out."""
    made = list(logging.root.manager.loggerDict.values())
    return [logger for logger in made if isinstance(logger, logging.Logger)]


class Logger:
    """What `server.log` and `worker.log` are; `logger_class` names it or a subclass.

    Args:
        cfg: the configuration; its logging settings, `user`, `group` and `proc_name` are read.

    Raises:
        RuntimeError: a log file, syslog target or logging configuration that can't be used.
    """

    LOG_LEVELS = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }
    loglevel = logging.INFO

    error_fmt = logconfig.LINE_FORMAT
    datefmt = logconfig.DATE_FORMAT
    access_fmt = "%(message)s"
    syslog_fmt = "[%(process)d] %(message)s"

    atoms_wrapper_class: type[Any] = SafeAtoms

    def __init__(self, cfg: Any) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = False
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.propagate = False
        self.error_handlers: list[logging.Handler] = []
        self.access_handlers: list[logging.Handler] = []
        self.logfile: TextIO | None = None
        # Re-entrant: a second USR1 may interrupt the handler of the first.
        self.lock = threading.RLock()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """Puts the handlers of `cfg` on both loggers, in place of ours from an earlier call.

        When that fails (RuntimeError), those from the earlier call go on: a reload with a broken
        configuration must not silence the server.
        """
        before, level = vars(self).copy(), self.error_log.level
        try:
            with loghandlers.exchange(self.error_log, self.access_log):
                self._setup_handlers(cfg)
        except BaseException:
            vars(self).update(before)
            self.error_log.setLevel(level)
            raise

    def _setup_handlers(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_choice: tuple[Any, _core.AccessChoice] | None = None
        self._access_log_enabled = self._compute_access_log_enabled()
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)

        error_format = logging.Formatter(self.error_fmt, self.datefmt)
        self._set_handler(self.error_log, cfg.errorlog, error_format)
        if cfg.accesslog is not None:
            access_format = logging.Formatter(self.access_fmt)
            self._set_handler(self.access_log, cfg.accesslog, access_format, stream=sys.stdout)
        if cfg.syslog:
            self._set_syslog_handler(self.error_log, cfg, self.syslog_fmt, "error")
            if not cfg.disable_redirect_access_to_syslog:
                self._set_syslog_handler(self.access_log, cfg, self.syslog_fmt, "access")
        self._apply_logconfig(cfg)
        # Last: nothing may fail behind it, for it can't be undone.
        if cfg.capture_output and cfg.errorlog != "-":
            self._capture_output(cfg.errorlog)

    def critical(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: object, **kwargs: Any) -> None:
        """Logs at a level given by number or name; an unknown name is info."""
        if isinstance(lvl, str):
            lvl = self.LOG_LEVELS.get(lvl.lower(), logging.INFO)
        self.error_log.log(lvl, msg, *args, **kwargs)

    @property
    def access_log_enabled(self) -> bool:
        """Whether `access` writes anything; a subclass's `setup` need not have called ours."""
        enabled = getattr(self, "_access_log_enabled", None)
        return self._compute_access_log_enabled() if enabled is None else enabled

    def _compute_access_log_enabled(self) -> bool:
        cfg = self.cfg
        to_syslog = cfg.syslog and not cfg.disable_redirect_access_to_syslog
        configured = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        return bool(cfg.accesslog or configured or to_syslog)

    def access(
        self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: datetime.timedelta
    ) -> None:
        """Writes the access line of one request.

        The record's `msg` is `access_log_format` and its `args` the wrapped atoms: filters in the
        wild read both. For `json` and `logfmt` the whole line is one more atom of that name, and
        `msg` shows it.

        Args:
            resp: has `status`, `headers` and `sent`. What has `must_log` is logged whatever
                `access_log_when` and `access_log_skip` say.
            req: has `headers`, or is those headers: pairs, or a mapping.
            environ: the WSGI environ, as the app left it.
            request_time: from the request to the end of the response.
        """
        if not self.access_log_enabled:
            return
        if not (getattr(resp, "must_log", False) or self._wants(resp, req, environ, request_time)):
            return
        own, template = self.atoms(resp, req, environ, request_time), self.cfg.access_log_format
        if _shows_more(template):
            own = {**more_atoms(req, environ), **own}
        atoms = self.atoms_wrapper_class(own)
        try:
            if template in named_access.STYLES:
                facts = named_access.facts_of(resp, req, environ, request_time, self._get_user)
                if getattr(self.atoms, "__func__", None) is not Logger.atoms:
                    usual = Logger.atoms(self, resp, req, environ, request_time)
                    named_access.adopt(facts, own, usual)
                # Not through the wrapper, which would escape it once more.
                atoms[template] = named_access.line_of(template, facts)
                template = f"%({template})s"
            self.access_log.info(template, atoms)
        except Exception:
            self.error(traceback.format_exc())

    def _wants(
        self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: datetime.timedelta
    ) -> bool:
        """Whether a request is to have a line, after `access_log_when` and `access_log_skip`."""
        target = environ.get("RAW_URI") or getattr(req, "uri", None) or ""
        micros = max(0, request_time // datetime.timedelta(microseconds=1))
        return self.access_choice.wants(status_of(resp) or 0, micros, str(target))

    @property
    def access_choice(self) -> _core.AccessChoice:
        """What decides which requests get a line; the core asks it, too."""
        known = getattr(self, "_access_choice", None)
        # A subclass's `setup` need not have called ours.
        if known is None or known[0] is not self.cfg:
            # A configuration of somebody's own may be older than these settings.
            when = getattr(self.cfg, "access_log_when", "all")
            skip = getattr(self.cfg, "access_log_skip", [])
            known = self._access_choice = (self.cfg, _core.AccessChoice(when, skip))
        return known[1]

    def atoms(
        self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: datetime.timedelta
    ) -> dict[str, Any]:
        """The value of each access log atom, not yet escaped; arguments as in `access`."""
        return atoms_of(resp, req, environ, request_time, self.now(), self._get_user)

    def now(self) -> str:
        """The local time as the Common Log Format has it."""
        return time.strftime("[%d/%b/%Y:%H:%M:%S %z]")

    def native_access_fd(self) -> int | None:
        """The file descriptor that Rust may write rendered access lines to itself.

        None when somebody may see the difference: then `access` must be called for each request.
        The answer holds until a signal or hook changes the logging; ask again after fork and USR1.
        """
        from rgunicorn import native_access  # which needs this module whole

        stream = native_access.stream_of(self)
        return None if stream is None else stream.fileno()

    def native_access_flush(self) -> Callable[[], None] | None:
        """What to call before a line goes to `native_access_fd`, if anything.

        On standard output Python's own handler flushes what the app has printed, line by line;
        an app in a container whose `print` shows up relies on it.
        """
        from rgunicorn import native_access

        stream = native_access.stream_of(self)
        standard = (sys.stdout, sys.__stdout__)
        return stream.flush if stream is not None and stream in standard else None

    def reopen_files(self) -> None:
        """Opens the log files of all loggers, root included, again by name (USR1).

        Safe inside a signal handler, at whatever point of a write it came. A file that can't be
        opened goes on as it is, and the error log says so.
        """
        owner = (self.cfg.user, self.cfg.group)
        if self.logfile is not None:
            with self.lock:
                fds = (self.logfile.fileno(), *_STANDARD_FDS)
                self._reopen(lambda: logfiles.replace(self.cfg.errorlog, fds, owner))
        for handler in logfiles.file_handlers([logging.root, *loggers()]):
            whose = owner if loghandlers.is_ours(handler) else None
            self._reopen(functools.partial(logfiles.reopen, handler, whose))

    def close_on_exec(self) -> None:
        """Keeps the log files out of the programs the app starts."""
        for handler in logfiles.file_handlers([logging.root, *loggers()]):
            with logfiles.held(handler):
                if handler.stream is not None:
                    os.set_inheritable(handler.stream.fileno(), False)

    def _reopen(self, reopen: Callable[[], None]) -> None:
        try:
            reopen()
        except OSError as exc:
            self.error("Can't reopen log file: %s", exc)

    def _apply_logconfig(self, cfg: Any) -> None:
        if logconfig.apply(cfg):
            # logging.config closes every handler there was.
            loghandlers.open_closed(self.error_log, self.access_log)

    def _capture_output(self, path: str) -> None:
        """Points standard output and error at the error log file."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        new = open(path, "a+")  # noqa: SIM115
        for fd in _STANDARD_FDS:
            os.dup2(new.fileno(), fd)
        with self.lock:
            if self.logfile is not None:
                self.logfile.close()
            self.logfile = new

    def _get_gunicorn_handler(self, log: logging.Logger) -> logging.Handler | None:
        return next(iter(loghandlers.ours(log)), None)

    def _set_handler(
        self,
        log: logging.Logger,
        output: str | None,
        fmt: logging.Formatter,
        stream: TextIO | None = None,
    ) -> None:
        """Gives `log` a handler of ours for a file, or for `stream` (default stderr) if `-`."""
        loghandlers.drop(log)
        if output is None:
            return

        handler: logging.Handler
        if output == "-":
            handler = logging.StreamHandler(stream)
        else:
            logfiles.prepare(output, (self.cfg.user, self.cfg.group))
            handler = logging.FileHandler(output)
        loghandlers.add(log, handler, fmt)

    def _set_syslog_handler(self, log: logging.Logger, cfg: Any, fmt: str, name: str) -> None:
        prefix = cfg.syslog_prefix or cfg.proc_name.replace(":", ".")
        form = logging.Formatter(f"gunicorn.{prefix}.{name}: {fmt}")
        loghandlers.add(log, syslog.handler_of(cfg), form)

    def _get_user(self, environ: Mapping[str, Any]) -> str | None:
        """The user of a Basic `Authorization` (RFC 7617), None when it names none."""
        scheme, space, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not space or not scheme.lower().startswith("basic"):
            return None
        try:
            return base64.b64decode(credentials.encode()).split(b":", 1)[0].decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            self.debug("Couldn't get username: %s", exc)
            return None


@functools.lru_cache(maxsize=8)
def _shows_more(template: str) -> bool:
    """Whether an access line shows atoms that Gunicorn does not have."""
    return template in named_access.STYLES or any(f"%({name})" in template for name in MORE)
