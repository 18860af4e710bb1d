"""Access log, error log, the standard library's configuration of both, syslog, StatsD."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import threading
import time

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


def syslogd(stage: Stage) -> None:
    """A syslog of our own: a datagram socket in the stage's directory."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(stage.directory / "log.sock"))
    listen(stage, sock)


def udp(stage: Stage) -> str:
    """The address of a listener of our own. Settings are made before `prepare` is called."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    listen(stage, sock)
    host, port = sock.getsockname()
    return f"{host}:{port}"


def listen(stage: Stage, sock: socket.socket) -> None:
    """Reads all the time: a sender waits when the queue of a unix socket is full."""
    got = stage.notes.setdefault("datagrams", [])
    assert isinstance(got, list)
    sock.settimeout(0.2)

    def read() -> None:
        with sock:
            while not stage.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    got.append(stage.plain(sock.recv(65536).decode()))

    threading.Thread(target=read, daemon=True).start()


def datagrams(stage: Stage) -> list[str]:
    """All that came. The server has ended: what it sent is in the socket."""
    got = stage.notes.get("datagrams", [])
    assert isinstance(got, list)
    count = -1
    while count < len(got):
        count = len(got)
        time.sleep(0.3)
    return got


def spoken(stage: Stage) -> None:
    """A request, and the server's end: what a server says to syslog in its life."""
    stage.call("/hello")
    stage.server.assert_clean_exit(signal.SIGTERM)


def syslog_lines(stage: Stage) -> list[str]:
    """Of the worker's boot and the request; others interleave as the scheduler likes."""
    wanted = ("Booting", "/hello", "Handling signal: term")
    found = [line for line in datagrams(stage) if any(word in line for word in wanted)]
    return sorted(
        re.sub(r"\[\d\d/\w+/.*?\]", "[DATE]", re.sub(r"\[\d+\]", "[PID]", line)) for line in found
    )


def part(pattern: str):  # type: ignore[no-untyped-def]
    """The distinct finds of `pattern` in all datagrams."""
    return lambda stage: sorted(
        {found.group(1) for line in datagrams(stage) if (found := re.search(pattern, line))}
    )


def metrics(pattern: str):  # type: ignore[no-untyped-def]
    """The distinct metrics; a duration and a queue have other numbers each time."""

    def observe(stage: Stage) -> object:
        lines = [re.sub(r"(duration|backlog):[\d.e-]+", r"\1:N", line) for line in datagrams(stage)]
        return sorted({line for line in lines if re.search(pattern, line)})

    return observe


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
                    r"^ +(?!sync_|touch_|static_|access_log_skip)\w+: (30|1000|2048|\[\]|False)$"
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
    Scene(
        "syslog",
        (
            Case("syslog", "datagrams of both logs", syslog_lines, set={"syslog": True}),
            Case(
                "syslog_addr",
                "a unix datagram socket receives them",
                lambda stage: bool(datagrams(stage)),
                set=lambda stage: {"syslog_addr": f"unix://{stage.directory}/log.sock#dgram"},
            ),
        ),
        prepare=syslogd,
        acts=spoken,
    ),
    Scene(
        "syslog lines",
        (
            Case(
                "syslog_prefix",
                "the program's name in each datagram",
                part(r"(gunicorn\.\w+)\.(?:error|access):"),
                set={"syslog_prefix": "mine"},
            ),
            Case(
                "syslog_facility",
                "priority of each datagram",
                part(r"^(<\d+>)"),
                set={"syslog_facility": "local3"},
            ),
            Case(
                "disable_redirect_access_to_syslog",
                "whether the access log is among them",
                part(r"\.(error|access):"),
                set={"disable_redirect_access_to_syslog": True},
            ),
        ),
        base=lambda stage: {
            "syslog": True,
            "syslog_addr": f"unix://{stage.directory}/log.sock#dgram",
        },
        prepare=syslogd,
        acts=spoken,
    ),
    Scene(
        "syslog over UDP",
        (
            Case(
                "syslog_addr",
                "`udp://`: what arrives",
                syslog_lines,
                set=lambda stage: {"syslog_addr": f"udp://{udp(stage)}"},
                short="UDP",
            ),
        ),
        base={"syslog": True},
        acts=spoken,
    ),
    Scene(
        "StatsD",
        (
            Case(
                "statsd_host",
                "metrics of a request and of the workers",
                metrics("requests|request|workers"),
                set=lambda stage: {"statsd_host": udp(stage)},
            ),
        ),
        acts=spoken,
    ),
    Scene(
        "StatsD lines",
        (
            Case(
                "statsd_prefix",
                "names of the metrics",
                metrics(r"workers|requests"),
                set={"statsd_prefix": "mine"},
            ),
            Case(
                "dogstatsd_tags",
                "tags of the metrics",
                part(r"(\|#.*)$"),
                set={"dogstatsd_tags": "a:b,c"},
            ),
            Case(
                "enable_backlog_metric",
                "the metric of the listening queue",
                metrics("backlog"),
                set={"enable_backlog_metric": True},
            ),
        ),
        base=lambda stage: {"statsd_host": udp(stage)},
        acts=spoken,
    ),
)
