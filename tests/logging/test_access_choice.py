"""`access_log_when` and `access_log_skip`: which requests get a line, on every road to the log."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.server import Spawn
from harness.statsd import collecting
from harness.wait import until
from harness.wire import exchange, get
from rgunicorn.settings.access import validate_access_log_skip, validate_access_log_when

FILTERED = """
def post_worker_init(worker):
    worker.log.access_log.addFilter(lambda record: True)
"""
FORMAT = "%(m)s %(U)s %(s)s"


@pytest.mark.parametrize("config", ["", FILTERED], ids=["core", "python"])
def test_both_roads(spawn: Spawn, config: str) -> None:
    server = spawn(
        "named:app",
        config=config,
        settings={
            "accesslog": "access.log",
            "access_log_format": FORMAT,
            "access_log_when": "4xx,5xx,slow:3600,sample:3",
            "access_log_skip": ["/healthz", "/static/*"],
        },
    )
    for path in (
        "/1",
        "/healthz",
        "/2",
        "/health%7a?x",
        "/static/a?404",
        "/3",
        "/status?404",
        "/4",
        "/status?503",
        "/raise",
        "/last-is-8th",
        "/9",
    ):
        exchange(server.address, get(path))
    log = server.directory / "access.log"
    until(lambda: "/9" in log.read_text(), "the last line", show=log.read_text)
    # Skipped ones do not count for the sample; others do, whether they are logged or not.
    assert log.read_text().splitlines() == [
        "GET /3 200",
        "GET /status 404",
        "GET /status 503",
        "GET /raise 500",
        "GET /9 200",
    ]


def test_errors_of_a_skipped_path_are_logged(spawn: Spawn) -> None:
    settings = {
        "accesslog": "access.log",
        "access_log_format": FORMAT,
        "access_log_skip": ["/status", "/raise"],
    }
    server = spawn("named:app", settings=settings)
    for path in ("/status?200", "/status?404", "/status?503", "/raise", "/end"):
        exchange(server.address, get(path))
    log = server.directory / "access.log"
    until(lambda: "/end" in log.read_text(), "the last line", show=log.read_text)
    assert log.read_text().splitlines() == ["GET /status 503", "GET /raise 500", "GET /end 200"]


def test_threads_take_one_sample_together(spawn: Spawn) -> None:
    server = spawn(
        "named:app",
        settings={
            "worker_class": "gthread",
            "threads": 4,
            "accesslog": "access.log",
            "access_log_format": FORMAT,
            "access_log_when": "5xx,sample:10",
        },
    )
    for number in range(35):
        exchange(server.address, get(f"/{number}", "Connection: close"))
    exchange(server.address, get("/raise"))
    log = server.directory / "access.log"
    until(lambda: "/raise" in log.read_text(), "the last line", show=log.read_text)
    assert log.read_text().count(" 200") == 3


def test_statsd_counts_all(spawn: Spawn, tmp_path: Path) -> None:
    with collecting("udp", tmp_path) as collector:
        server = spawn(
            "named:app",
            settings={
                "statsd_host": collector.host,
                "accesslog": "access.log",
                "access_log_format": FORMAT,
                "access_log_when": "5xx",
                "access_log_skip": ["/healthz"],
            },
        )
        for path in ("/healthz", "/", "/raise"):
            exchange(server.address, get(path))
        collector.wait("gunicorn.requests:1|c|@1.0", 3)
        assert (server.directory / "access.log").read_text() == "GET /raise 500\n"


def test_a_lost_request_always_has_a_line(make_logger: Any, tmp_path: Path) -> None:
    log = make_logger(
        accesslog=str(tmp_path / "a"), access_log_format=FORMAT, access_log_when="4xx"
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "RAW_URI": "/x"}
    req = SimpleNamespace(headers=[])
    for must_log in (False, True):
        resp = SimpleNamespace(status="504 Late", headers=[], sent=0, must_log=must_log)
        log.access(resp, req, environ, datetime.timedelta())
    assert (tmp_path / "a").read_text() == "GET /x 504\n"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("all", "all"),
        (" 5XX , 4xx ", "5xx,4xx"),
        ("4xx,5xx,slow:1", "4xx,5xx,slow:1"),
        ("slow:1500ms", "slow:1.5"),
        ("slow:2m,sample:100,slow:2m", "slow:120,sample:100"),
    ],
)
def test_conditions(value: str, stored: str) -> None:
    assert validate_access_log_when(value) == stored


@pytest.mark.parametrize(
    "value", ["", "never", "2xx", "4xx,", "all:1", "slow", "slow:", "slow:soon", "sample:0", None]
)
def test_other_conditions_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="Invalid access_log_when: "):
        validate_access_log_when(value)


@pytest.mark.parametrize("value", [["healthz"], ["/a?b"], ["/a*b"], [""], ["/ok", "*x"]])
def test_other_paths_are_refused(value: list[str]) -> None:
    with pytest.raises(ValueError, match="Invalid access_log_skip: "):
        validate_access_log_skip(value)


def test_paths() -> None:
    assert validate_access_log_skip("/healthz") == ["/healthz"]
    assert validate_access_log_skip(["/static/*", "*", "/"]) == ["/static/*", "*", "/"]
    assert validate_access_log_skip(None) == []
