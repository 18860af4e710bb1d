"""Logs that leave the server as datagrams: syslog, StatsD."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time

from parity.settings.case import Case, Scene
from parity.settings.stage import Stage


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
