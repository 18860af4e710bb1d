"""Access log, error log, the standard library's configuration of both."""

from __future__ import annotations

import json
import re

from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

FORMAT = "%(m)s %(U)s %(s)s %(H)s %({x-probe}o)s"

INI = """
[loggers]
keys = root, gunicorn.error, gunicorn.access
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers =
[logger_gunicorn.error]
level = INFO
handlers = file
qualname = gunicorn.error
propagate = 0
[logger_gunicorn.access]
level = INFO
handlers = file
qualname = gunicorn.access
propagate = 0
[handler_file]
class = FileHandler
args = ("own.log",)
formatter = plain
[formatter_plain]
format = INI %(name)s %(levelname)s %(message)s
"""


def dictionary(mark: str) -> dict[str, object]:
    logger = {"level": "INFO", "handlers": ["file"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": f"{mark} %(name)s %(levelname)s %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": "own.log", "formatter": "plain"}
        },
        "loggers": {"gunicorn.error": logger, "gunicorn.access": logger},
        "root": {"level": "INFO", "handlers": []},
    }


LOGGER = """
from gunicorn.glogging import Logger


class Own(Logger):
    def access(self, resp, req, environ, request_time):
        self.info("own access %s %s", resp.status, environ["PATH_INFO"])
"""


def own_log(stage: Stage) -> object:
    stage.call("/hello")
    if not (stage.directory / "own.log").exists():
        return None
    # Nothing that depends on how many milliseconds a request took or on a date.
    return stage.wait_line(r"gunicorn\.access INFO", "own.log") and [
        re.sub(r"\[\d\d/.*?\]", "[DATE]", line)
        for line in stage.lines(r"gunicorn\.", "own.log")
        if "[INFO]" not in line
    ]


def access_lines(stage: Stage) -> object:
    stage.call("/hello")
    return [
        re.sub(r"\[\d\d/.*?\]", "[DATE]", line) for line in stage.wait_line("/hello", "access.log")
    ]


def default_access_lines(stage: Stage) -> object:
    return access_lines(stage)


def error_lines(stage: Stage) -> object:
    return stage.wait_line("Booting worker", "error.log"), stage.lines("Booting worker")


def captured(stage: Stage) -> object:
    stage.call("/print")
    return stage.wait_line("by the application", "error.log")


def levels(stage: Stage) -> object:
    return stage.lines(r"\[INFO\] (Starting|Using)")


def own_logger(stage: Stage) -> object:
    stage.call("/hello")
    return stage.wait_line("own access")


SCENES = (
    Scene(
        "log files",
        (
            Case(
                "accesslog",
                "lines of a file, in the default format",
                access_lines,
                set=lambda stage: {"accesslog": str(stage.directory / "access.log")},
            ),
            Case(
                "errorlog",
                "lines of a file, and no longer of stderr",
                error_lines,
                set=lambda stage: {"errorlog": str(stage.directory / "error.log")},
            ),
            Case(
                "capture_output",
                "what the application prints",
                captured,
                set={"capture_output": True},
            ),
        ),
    ),
    Scene(
        "format",
        (
            Case(
                "access_log_format",
                "lines of a file",
                access_lines,
                set={"access_log_format": FORMAT},
            ),
            Case(
                "loglevel",
                "`warning`: what is not said any more",
                levels,
                set={"loglevel": "warning"},
            ),
        ),
        base=lambda stage: {"accesslog": str(stage.directory / "access.log")},
    ),
    Scene(
        "debug level",
        (
            Case(
                "loglevel",
                "`debug`: values of the configuration",
                lambda stage: stage.lines(
                    r"^ +(?!sync_|touch_|static_|access_log_skip|worker_keeper)"
                    r"\w+: (30|1000|2048|\[\]|False)$"
                ),
                set={"loglevel": "debug"},
                short="debug",
            ),
        ),
    ),
    Scene(
        "logger class",
        (
            Case(
                "logger_class",
                "a subclass of `gunicorn.glogging.Logger` writes the access line",
                own_logger,
                set={"logger_class": "ownlog.Own", "accesslog": "-"},
            ),
        ),
        files={"ownlog.py": LOGGER},
    ),
    Scene(
        "ini",
        (
            Case(
                "logconfig",
                "lines of its handler",
                own_log,
                set=lambda stage: {"logconfig": str(stage.directory / "log.ini")},
            ),
        ),
        files={"log.ini": INI},
    ),
    Scene(
        "dict",
        (
            Case(
                "logconfig_dict",
                "lines of its handler",
                own_log,
                set={"logconfig_dict": dictionary("DICT")},
            ),
        ),
    ),
    Scene(
        "json",
        (
            Case(
                "logconfig_json",
                "lines of its handler",
                own_log,
                set=lambda stage: {"logconfig_json": str(stage.directory / "log.json")},
            ),
        ),
        files={"log.json": json.dumps(dictionary("JSON"))},
    ),
)
