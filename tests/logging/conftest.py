"""A Logger of ours, built from a few settings, on loggers as fresh as in a new process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rgunicorn.glogging import Logger

LOGGERS = ("gunicorn.error", "gunicorn.access")
MakeConfig = Callable[..., SimpleNamespace]
MakeLogger = Callable[..., Logger]

FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


@pytest.fixture
def config() -> MakeConfig:
    def make(**settings: Any) -> SimpleNamespace:
        defaults: dict[str, Any] = {
            "accesslog": None,
            "access_log_format": FORMAT,
            "access_log_skip": [],
            "access_log_when": "all",
            "capture_output": False,
            "disable_redirect_access_to_syslog": False,
            "errorlog": "-",
            "group": os.getegid(),
            "logconfig": None,
            "logconfig_dict": {},
            "logconfig_json": None,
            "loglevel": "info",
            "proc_name": "shop.wsgi:app",
            "syslog": False,
            "syslog_addr": "udp://localhost:514",
            "syslog_facility": "user",
            "syslog_prefix": None,
            "user": os.geteuid(),
        }
        assert set(settings) <= set(defaults)
        return SimpleNamespace(**{**defaults, **settings})

    return make


@pytest.fixture
def make_logger(config: MakeConfig) -> Iterator[MakeLogger]:
    def make(logger_class: type[Logger] = Logger, **settings: Any) -> Logger:
        return logger_class(config(**settings))

    known = set(logging.root.manager.loggerDict)
    root = logging.root.handlers[:], logging.root.level
    yield make

    logging.disable(logging.NOTSET)
    logging.root.handlers[:], logging.root.level = root
    for name in LOGGERS + tuple(set(logging.root.manager.loggerDict) - known):
        logger = logging.getLogger(name)
        logger.propagate, logger.disabled = True, False
        logger.filters.clear()
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
