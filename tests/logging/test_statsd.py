"""Metrics: what a StatsD server gets from real Gunicorn and from us, and when there is none."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Command, Server, Spawn
from harness.statsd import Collector, collecting
from harness.wait import until
from harness.wire import ask, exchange, get
from rgunicorn.config import Config
from rgunicorn.glogging import Logger
from rgunicorn.instrument.statsd import Statsd

EXTRAS = """
def when_ready(server):
    def metric(name, value, mtype):
        return {"metric": name, "value": value, "mtype": mtype}
    server.log.info("a line", extra=metric("app.gauge", 7, "gauge"))
    server.log.debug("no line at this level", extra=metric("app.count", 2, "counter"))
    server.log.log("warning", "a line", extra=metric("app.times", 1.5, "timer"))
    server.log.info("", extra=metric("app.sizes", 0, "histogram"))
    server.log.info("", extra=metric("app.unknown", 1, "nothing"))
    server.log.info("", extra={"metric": "app.incomplete"})
    server.log.info("a plain line", extra={"other": 1})
    server.log.critical("critical"); server.log.error("error"); server.log.warning("warning")
    try:
        raise KeyError("k")
    except KeyError:
        server.log.exception("exception")
"""

# How the server is reached, how it works, what else is set.
WAYS: dict[str, tuple[Mode, dict[str, Any]]] = {
    "udp": (Mode(), {"statsd_prefix": "shop..", "dogstatsd_tags": "env:test,b"}),
    "udp6": (Mode("gthread"), {"statsd_prefix": "a.b", "enable_backlog_metric": True}),
    "unix": (Mode(transport="unix"), {"accesslog": "-"}),
}
REFUSED = (b"GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n", b"GE\x00T\r\n\r\n", get("/", "Expect: no"))


def traffic(server: Server, collector: Collector, prefix: str, tags: str) -> list[str]:
    """All a server says about the same life: requests of all kinds, more workers and fewer."""

    def done(name: str, value: str, count: int = 1) -> None:
        collector.wait(f"{prefix}{name}:{value}{tags}", count)

    done("gunicorn.workers", "1|g")
    for count, path in enumerate(("/", "/404", "/odd", "/boom"), 1):
        ask(server.address, get(path, "Connection: close"))
        done("gunicorn.requests", "1|c|@1.0", count)
    exchange(server.address, get("/late", "Connection: close"))
    done("gunicorn.requests", "1|c|@1.0", 5)
    for raw in REFUSED:
        exchange(server.address, raw)
    server.send_signal(signal.SIGTTIN)
    done("gunicorn.workers", "2|g")
    server.wait_log("Booting worker", 2)
    server.send_signal(signal.SIGTTOU)
    done("gunicorn.workers", "1|g", 2)
    server.wait_log("Worker exiting")
    server.assert_clean_exit()
    return collector.lines()


@pytest.mark.parametrize("way", WAYS)
def test_the_same_as_gunicorns(
    way: str, spawn: Spawn, gunicorn: Command, command: Command, tmp_path: Path
) -> None:
    mode, settings = WAYS[way]
    said = []
    for which in (gunicorn, command):
        (tmp_path / f"for-{which.name}").mkdir()
        with collecting(way, tmp_path / f"for-{which.name}") as collector:
            server = spawn(
                "counted:app",
                mode,
                command=which,
                config=EXTRAS,
                settings={**settings, "statsd_host": collector.host},
            )
            prefix = settings.get("statsd_prefix", "").rstrip(".")
            tags = settings.get("dogstatsd_tags", "")
            lines = traffic(
                server, collector, f"{prefix}." if prefix else "", f"|#{tags}" if tags else ""
            )
            said.append(lines)
            backlog = [line for line in collector.lines("\n") if "gunicorn.backlog" in line]
            assert bool(backlog) == ("enable_backlog_metric" in settings)
            assert all(re.fullmatch(r"a\.b\.gunicorn\.backlog:\d+\|h", line) for line in backlog)
    theirs, ours = said
    # Master and workers send side by side.
    same(sorted(ours), sorted(theirs))
    name = "gunicorn.request"
    requests, expected = ([it for it in lines if name in it] for lines in (ours, theirs))
    assert requests == expected
    assert len(expected) == 3 * 5


def test_a_logger_derived_from_it(spawn: Spawn, tmp_path: Path) -> None:
    with collecting("udp", tmp_path) as collector:
        settings = {"statsd_host": collector.host, "logger_class": "counted.Own"}
        server = spawn("counted:app", settings=settings)
        ask(server.address, get("/"))
        collector.wait("own.GET:1|c|@1.0")
        assert collector.lines().count("gunicorn.requests:1|c|@1.0") == 1
        server.assert_clean_exit()


@pytest.mark.gunicorn_bug("a worker waits for the StatsD server, until it is killed")
def test_a_server_that_takes_nothing_stops_nobody(spawn: Spawn, tmp_path: Path) -> None:
    path = tmp_path / "full.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.bind(str(path))
        server = spawn("counted:app", settings={"statsd_host": f"unix://{path}"})
        for _ in range(30):
            assert ask(server.address, get("/")).status == 200
        log = server.assert_clean_exit()
    # Once from the worker; once from the master at most.
    assert 1 <= log.count("Can't send metrics to statsd_host") <= 2


@pytest.mark.gunicorn_bug("never connects again; a warning with a traceback for each metric")
def test_a_server_that_comes_back(spawn: Spawn, tmp_path: Path) -> None:
    with collecting("unix", tmp_path) as collector:
        server = spawn("counted:app", settings={"statsd_host": collector.host})
        ask(server.address, get("/"))
        collector.wait("gunicorn.requests:1|c|@1.0")
    for _ in range(5):
        ask(server.address, get("/"))
    assert server.log().count("Can't send metrics") == 1
    (tmp_path / "statsd.sock").unlink()
    with collecting("unix", tmp_path) as collector:
        ask(server.address, get("/404"))
        collector.wait("gunicorn.request.status.404:1|c|@1.0")
        server.assert_clean_exit()


@pytest.mark.gunicorn_bug("a reload changes nothing about it")
def test_a_reload_sends_elsewhere(spawn: Spawn, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with collecting("unix", old) as first, collecting("unix", new) as second:
        server = spawn("counted:app", settings={"statsd_host": first.host})
        first.wait("gunicorn.workers:1|g")
        config = server.directory / "gunicorn.conf.py"
        config.write_text(
            config.read_text().replace(first.host, second.host) + "statsd_prefix = 'new'\n"
        )
        server.send_signal(signal.SIGHUP)
        server.wait_log("Worker exiting")
        ask(server.address, get("/"))
        second.wait("new.gunicorn.requests:1|c|@1.0")
        server.assert_clean_exit()


@pytest.fixture
def configured(make_logger: Any) -> Iterator[Any]:
    """Makes a Config; the loggers are tidied up as after `make_logger`."""

    def make(**values: Any) -> Config:
        cfg = Config()
        for name, value in values.items():
            cfg.set(name, value)
        return cfg

    yield make


def test_who_gets_the_counting_logger(configured: Any) -> None:
    class Plain(Logger):
        pass

    assert configured().logger_class is Logger
    for name in ("simple", "gunicorn.glogging.Logger"):
        values = {"logger_class": name, "statsd_host": "localhost"}
        assert configured(**values).logger_class is Statsd
    assert configured(logger_class=Plain, statsd_host="localhost").logger_class is Plain
    assert configured(logger_class="gunicorn.instrument.statsd.Statsd").logger_class is Statsd


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", ""), (None, ""), ("a", "a."), ("a.", "a."), ("a..", "a."), ("a.b", "a.b."), (".", "")],
)
def test_prefix(configured: Any, given: str | None, expected: str) -> None:
    assert Statsd(configured(statsd_prefix=given)).prefix == expected


def test_methods(configured: Any, tmp_path: Path) -> None:
    with collecting("udp", tmp_path) as collector:
        log = Statsd(configured(statsd_host=collector.host, dogstatsd_tags="über:1"))
        log.gauge("g", -1.5)
        log.increment("c", 2, 0.5)
        log.decrement("c", 1)
        log.histogram("h", 3)
        log._sock_send(b"own:1|s")
        expected = ["g:-1.5|g", "c:2|c|@0.5", "c:-1|c|@1.0", "h:3|h", "own:1|s"]
        until(lambda: len(collector.lines()) == len(expected), "all of them")
        assert collector.lines() == [f"{line}|#über:1" for line in expected]


def test_an_unknown_host_is_said_once(configured: Any, capfd: Any) -> None:
    log = Statsd(configured(statsd_host="no such host:8125"))
    for _ in range(10):
        log.warning("low")
    lines = capfd.readouterr().err.splitlines()
    assert sum("Can't send metrics to statsd_host = ('no such host', 8125): " in x for x in lines)
    assert sum("Can't send metrics" in line for line in lines) == 1


def test_a_setup_that_does_not_call_ours(configured: Any, tmp_path: Path) -> None:
    class Own(Statsd):
        def setup(self, cfg: Any) -> None:
            self.cfg = cfg

    with collecting("udp", tmp_path) as collector:
        Own(configured(statsd_host=collector.host)).gauge("g", 1)
        collector.wait("g:1|g")
