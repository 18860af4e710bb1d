"""`json` and `logfmt` as `Logger.access` writes them: whatever is in them reads back, and nothing
else."""

from __future__ import annotations

import base64
import datetime
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.named_lines import read
from rgunicorn.glogging import Logger

STYLES = ["json", "logfmt"]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# What WSGI shows of bytes, with those that mean something in a line more often than others.
OCTETS = st.text(st.characters(max_codepoint=0xFF), max_size=30)
SHARP = st.text(st.sampled_from(' ="\\{}[],:\n\r\t\0\x7f\x85\x9b\xa0\xe9ab'), max_size=30)
FORGED = st.sampled_from(['","status":200,"x":"', '" status=200 x="', "null", "a b=c", "%(h)s %s"])
WSGI_TEXT = st.one_of(OCTETS, SHARP, FORGED)


def request(environ: dict[str, Any], **more: Any) -> tuple[Any, Any, dict[str, Any]]:
    full = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "RAW_URI": "/", **environ}
    resp = SimpleNamespace(status="200 OK", headers=[], sent=5)
    return resp, SimpleNamespace(headers=[], **more), full


class Sink(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def written(log: Logger, *args: Any) -> str:
    sink = Sink()
    log.access_log.addHandler(sink)
    try:
        log.access(*args, datetime.timedelta(seconds=90_000, microseconds=7))
    finally:
        log.access_log.removeHandler(sink)
    (record,) = sink.records
    return record.getMessage()


@pytest.mark.parametrize("style", STYLES)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_every_value_reads_back(
    make_logger: Any, tmp_path: Path, style: str, data: st.DataObject
) -> None:
    log = make_logger(accesslog=str(tmp_path / "a"), access_log_format=style)
    names = {
        "REMOTE_ADDR": "remote_addr",
        "REQUEST_METHOD": "method",
        "RAW_URI": "path",
        "QUERY_STRING": "query",
        "SERVER_PROTOCOL": "protocol",
        "HTTP_REFERER": "referer",
        "HTTP_USER_AGENT": "user_agent",
        "rgunicorn.request_id": "request_id",
    }
    # No `?` or `#`, where a path ends.
    texts = {key: data.draw(WSGI_TEXT, key) for key in names}
    texts["RAW_URI"] = "/" + texts["RAW_URI"].replace("?", "").replace("#", "")
    found = read(style, written(log, *request(texts)))
    for key in ("time", "pid"):
        del found[key]
    kept = ("HTTP_REFERER", "HTTP_USER_AGENT")
    expected = {names[key]: text for key, text in texts.items() if text or key in kept}
    assert found == expected | {"status": 200, "bytes": 5, "duration": 90000.000007}


@pytest.mark.parametrize("style", STYLES)
def test_what_is_not_there_has_no_name(make_logger: Any, tmp_path: Path, style: str) -> None:
    log = make_logger(accesslog=str(tmp_path / "a"), access_log_format=style)
    resp, req, environ = request({"HTTP_TRACEPARENT": PARENT.upper(), "QUERY_STRING": ""})
    resp.status, resp.sent = None, None
    found = read(style, written(log, resp, req, environ))
    assert sorted(found) == ["duration", "method", "path", "pid", "time"]


@pytest.mark.parametrize("style", STYLES)
def test_all_there_is(make_logger: Any, tmp_path: Path, style: str) -> None:
    log = make_logger(accesslog=str(tmp_path / "a"), access_log_format=style)
    credentials = base64.b64encode("zoë🦀:secret".encode()).decode()
    environ = {"HTTP_TRACEPARENT": PARENT, "HTTP_AUTHORIZATION": f"Basic {credentials}"}
    args = request(environ, queue_us=1_500_000, worker_slot=3, worker_pid=7, request_id="r-1")
    found = read(style, written(log, *args))
    assert (found["queue_time"], found["slot"], found["pid"]) == (1.5, 3, 7)
    assert (found["user"], found["request_id"]) == ("zoë🦀", "r-1")
    assert (found["trace_id"], found["span_id"], found["trace_flags"]) == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        "01",
    )


def test_filters_see_the_line_and_the_atoms(make_logger: Any, tmp_path: Path) -> None:
    log = make_logger(accesslog=str(tmp_path / "a"), access_log_format="json")
    sink = Sink()
    log.access_log.addHandler(sink)
    log.access(*request({"PATH_INFO": "/a%"}), datetime.timedelta())
    (record,) = sink.records
    assert record.msg == "%(json)s"
    assert isinstance(record.args, dict)
    assert record.args["U"] == "/a%" and record.args["unknown"] == "-"
    assert read("json", record.getMessage())["status"] == 200
    assert (tmp_path / "a").read_text() == record.getMessage() + "\n"


def test_atoms_of_a_subclass_count(make_logger: Any, tmp_path: Path) -> None:
    class Own(Logger):
        def atoms(self, *args: Any) -> dict[str, Any]:
            atoms = super().atoms(*args)
            return atoms | {"h": "203.0.113.7", "U": "/login/***", "a": "-"}

    log = make_logger(Own, accesslog=str(tmp_path / "a"), access_log_format="json")
    environ = {"REMOTE_ADDR": "10.0.0.1", "RAW_URI": "/login/secret", "HTTP_USER_AGENT": "curl"}
    found = read("json", written(log, *request(environ)))
    assert (found["remote_addr"], found["path"]) == ("203.0.113.7", "/login/***")
    assert "user_agent" not in found


def test_our_atoms_in_a_format(make_logger: Any, tmp_path: Path) -> None:
    template = "%(slot)s %(queue_time)s %(request_id)s %(traceparent)s %(U)s"
    log = make_logger(accesslog=str(tmp_path / "a"), access_log_format=template)
    assert written(log, *request({})) == "- - - - /"
    known = request(
        {"HTTP_TRACEPARENT": PARENT, "rgunicorn.request_id": "r-1"}, queue_us=5, worker_slot=0
    )
    assert written(log, *known) == f"0 0.000005 r-1 {PARENT} /"
    # Everybody else's atoms are Gunicorn's.
    assert "slot" not in log.atoms(*request({}), datetime.timedelta())
