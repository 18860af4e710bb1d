"""`logconfig`, `logconfig_dict`, `logconfig_json`: logging as the standard library configures
it."""

from __future__ import annotations

import json
import logging.config
import os
from collections.abc import Mapping
from typing import Any

LINE_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
DATE_FORMAT = "[%Y-%m-%d %H:%M:%S %z]"


def _console(stream: str) -> dict[str, Any]:
    return {"class": "logging.StreamHandler", "formatter": "generic", "stream": stream}


def _on(handler: str, name: str) -> dict[str, Any]:
    return {"level": "INFO", "handlers": [handler], "propagate": True, "qualname": name}


# What `logconfig_dict` and `logconfig_json` replace keys of.
CONFIG_DEFAULTS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "gunicorn.error": _on("error_console", "gunicorn.error"),
        "gunicorn.access": _on("console", "gunicorn.access"),
    },
    "handlers": {
        "console": _console("ext://sys.stdout"),
        "error_console": _console("ext://sys.stderr"),
    },
    "formatters": {
        "generic": {
            "format": LINE_FORMAT,
            "datefmt": DATE_FORMAT,
            "class": "logging.Formatter",
        },
    },
}


def apply(cfg: Any) -> bool:
    """Configures logging as the strongest of the three settings says; whether one is set.

    Raises:
        RuntimeError: the file is not there, or makes no sense.
    """
    if cfg.logconfig_dict:
        _dict_config(cfg.logconfig_dict)
    elif cfg.logconfig_json:
        # Gunicorn goes on without a file that is not there.
        if os.path.exists(cfg.logconfig_json):
            with open(cfg.logconfig_json, encoding="utf-8") as file:
                _dict_config(file)
    elif cfg.logconfig:
        if not os.path.exists(cfg.logconfig):
            raise RuntimeError(f"Error: log config '{cfg.logconfig}' not found")
        here = os.path.dirname(cfg.logconfig)
        logging.config.fileConfig(
            cfg.logconfig,
            defaults={"__file__": cfg.logconfig, "here": here},
            disable_existing_loggers=False,
        )
    else:
        return False
    return True


def _dict_config(config: Any) -> None:
    """Applies a `dictConfig` mapping over `CONFIG_DEFAULTS`, whole keys at a time.

    Args:
        config: the mapping, or a file with it as JSON.
    """
    try:
        changes = config if isinstance(config, Mapping) else json.load(config)
        logging.config.dictConfig({**CONFIG_DEFAULTS, **changes})
    except (AttributeError, ImportError, ValueError, TypeError) as exc:
        raise RuntimeError(str(exc)) from exc
