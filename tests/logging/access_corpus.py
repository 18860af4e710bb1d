"""Access lines as a Logger class writes them, for a fixed table of requests and formats.

Run by a Python that has Gunicorn, it prints `corpus/access.json`, which the Rust renderer
(`main.rs`) and our own Python Logger (`test_access_parity.py`) are held to::

    .venv-gunicorn/bin/python tests/logging/access_corpus.py > tests/logging/corpus/access.json

Only the standard library is used, so that any virtual environment can run it.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import io
import json
import logging
import os
import sys
import tempfile
from types import SimpleNamespace
from typing import Any

DEFAULT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

BASE: dict[str, Any] = {
    "remote_addr": "127.0.0.1",
    "time": "[20/Nov/2026:13:00:00 +0000]",
    "method": "GET",
    "target": "/path?a=b",
    "path": "/path",
    "query": "a=b",
    "version": [1, 1],
    "status": "200 OK",
    "sent": 1234,
    "duration_us": 12_345_678,
    "pid": 4242,
    "request": [["HOST", "example.org"], ["USER-AGENT", "curl/8.5"], ["REFERER", "http://r/"]],
    "response": [["Content-Type", "text/plain"], ["X-Trace", "t-1"]],
}


def basic(text: str) -> list[list[str]]:
    return [["AUTHORIZATION", text]]


# What is asked of the request, over BASE, with a format that shows it.
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("plain", DEFAULT, {}),
    ("no fields", DEFAULT, {"request": [], "response": []}),
    ("unix peer", DEFAULT, {"remote_addr": ""}),
    ("ipv6 peer", DEFAULT, {"remote_addr": "::1"}),
    ("http/1.0", DEFAULT, {"version": [1, 0]}),
    ("no reason", DEFAULT, {"status": "204", "sent": 0}),
    ("long reason", DEFAULT, {"status": "404 Not Found Here"}),
    ("quotes in the target", DEFAULT, {"target": '/a"b?c="d"'}),
    ("quotes in fields", DEFAULT, {"request": [["USER-AGENT", 'a"b"'], ["REFERER", '"']]}),
    ("backslashes", DEFAULT, {"request": [["USER-AGENT", "a\\b\\"], ["REFERER", '\\"']]}),
    ("percent signs", DEFAULT, {"target": "/%41%(h)s%%", "request": [["USER-AGENT", "%s%d"]]}),
    ("empty fields", DEFAULT, {"request": [["USER-AGENT", ""], ["REFERER", ""]]}),
    ("latin-1 fields", DEFAULT, {"request": [["USER-AGENT", "\xa0caf\xe9\xff"]]}),
    ("utf-8 fields", DEFAULT, {"request": [["USER-AGENT", "日\u00e9".encode().decode("latin-1")]]}),
    ("utf-8 path", "%(U)s %(q)s", {"path": "/\u00e9\u00fc".encode().decode("latin-1")}),
    ("newline in the path", "%(h)s %(U)s %(s)s", {"path": "/a\r\n127.0.0.1 - forged\x00"}),
    ("terminal codes", "%(U)s %(a)s", {"path": "/\x1b[2J\x7f\x85\x9b31m", "request": []}),
    ("tab in a field", "%(a)s", {"request": [["USER-AGENT", "a\tb"]]}),
    (
        "repeated fields",
        "%(f)s|%(a)s|%({referer}i)s|%({x}i)s",
        {
            "request": [
                ["REFERER", "a"],
                ["X", "1"],
                ["USER-AGENT", "u"],
                ["REFERER", "b"],
                ["X", "2"],
            ]
        },
    ),
    (
        "repeated response fields",
        "%({set-cookie}o)s",
        {"response": [["Set-Cookie", "a=1"], ["set-cookie", "b=2"]]},
    ),
    ("user", "%(u)s", {"request": basic("Basic dXNlcjpwYXNz")}),
    ("user, any case", "%(u)s", {"request": basic("bAsIc dXNlcjpwYXNz")}),
    ("user, longer scheme", "%(u)s", {"request": basic("Basically dXNlcjpwYXNz")}),
    ("user, blanks", "%(u)s", {"request": basic("Basic    dXNlcjpwYXNz")}),
    ("user, noise", "%(u)s", {"request": basic("Basic dX-Nl\xe9cj~pwYXNz")}),
    ("user, padded", "%(u)s", {"request": basic("Basic dXNlcg==")}),
    ("user, early padding", "%(u)s", {"request": basic("Basic =dX=Nlcg==tail")}),
    ("user, lone padding", "%(u)s", {"request": basic("Basic dXNlcg=")}),
    ("user, no padding", "%(u)s", {"request": basic("Basic dXNlcg")}),
    ("user, one digit", "%(u)s", {"request": basic("Basic d")}),
    ("user, empty name", "%(u)s", {"request": basic("Basic OnBhc3M=")}),
    ("user, empty value", "%(u)s", {"request": basic("Basic ")}),
    ("user, no value", "%(u)s", {"request": basic("Basic")}),
    ("user, utf-8", "%(u)s|%(u)-8s|%(u)8.3s|", {"request": basic("Basic em/DqyLml6U6eA==")}),
    ("user, not utf-8", "%(u)s", {"request": basic("Basic //86eA==")}),
    ("user, not utf-8 password", "%(u)s", {"request": basic("Basic dTr//w==")}),
    ("user, control", "%(u)s", {"request": basic("Basic YQpiG1vChTp4")}),
    ("user, bearer", "%(u)s", {"request": basic("Bearer dXNlcjpwYXNz")}),
    ("user, repeated", "%(u)s", {"request": basic("Basic dXNl") + basic("cjpwYXNz")}),
    ("no time", "%(T)s %(D)s %(M)s %(L)s", {"duration_us": 0}),
    ("microseconds", "%(T)s %(D)s %(M)s %(L)s", {"duration_us": 1_999}),
    ("almost a day", "%(T)s %(D)s %(M)s %(L)s", {"duration_us": 86_399_999_999}),
    ("big body", "%(b)s %(B)s %(B)d", {"sent": 2**40}),
]

# Formats over BASE that the Rust renderer must take.
FORMATS = [
    "%(h)s %(l)s %(u)s %(t)s %(r)s %(s)s %(m)s %(U)s %(q)s %(H)s %(b)s %(B)s %(f)s %(a)s",
    "%(T)s %(D)s %(M)s %(L)s %(p)s",
    "%({host}i)s %({HOST}i)s %({Host}I)s %({nope}i)s %({x-trace}o)s %({X-TRACE}o)s %({nope}o)s",
    "%({remote_addr}e)s %({Request_Method}e)s %({raw_uri}e)s %({path_info}e)s %({query_string}e)s",
    "%({server_protocol}e)s",
    "%({host}x)s %({host})s %({)s %(}i)s %(unknown)s %()s %(S)s %((a))s",
    "%(s)-5s|%(s)5s|%(s)2s|%(a).4s|%(a)12.4s|%(a)-12.4s|%(a).0s|%(a).s|",
    "%(s)05s|%(s)+5s|%(s) s|%(s)#s|%(nope)3s|%(D).3s|%(D)12s|",
    "%(D)d %(T)d %(M)i %(B)u|%(B)08d|%(B)-8d|%(B)8d|%(B)-08d|%(B)2d|",
    "100%% %%(h)s %(h)s%%",
    "no atoms at all",
    "",
    "caf\u00e9 \u65e5\u672c %(m)s",
    "tab\tand\nnewline of the operator's own %(m)s",
    '{"status": %(s)s, "bytes": %(B)d}',
]

# Formats over BASE that only Python renders, or that are errors there.
PYTHON_ONLY = [
    "%({http_host}e)s %({remote_user}e)s",
    "%(D)x %(D)o %(T)f %(T).1f %(D).12d %(D)+d %(D) d %(D)ld",
    "%(h)r %(h)a",
    "%(h)1000s",
    "%(h)d",
    "%(s)d",
    "%(b)d",
    "%(h",
    "%(h)",
    "100%",
    "%s",
]


class Oracle:
    """Writes lines with the `Logger` of `package`."""

    def __init__(self, package: str) -> None:
        self.logger_class = importlib.import_module(f"{package}.glogging").Logger

    def line(self, format: str, record: dict[str, Any]) -> str | None:
        """The line for one request, or None when logging reports an error instead."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "access.log")
            logger = self.logger_class(logger_config(accesslog=path, access_log_format=format))
            logger.now = lambda: record["time"]
            pid = os.getpid
            os.getpid = lambda: record["pid"]
            try:
                # logging reports a bad template on stderr.
                with contextlib.redirect_stderr(io.StringIO()):
                    logger.access(*access_arguments(record))
            finally:
                os.getpid = pid
                for handler in logger.access_log.handlers + logger.error_log.handlers:
                    handler.close()
            with open(path, encoding="utf-8", newline="") as file:
                return file.read() or None


def access_arguments(record: dict[str, Any]) -> tuple[Any, Any, dict[str, Any], Any]:
    """What a worker hands to `Logger.access` for this request."""
    environ = {
        "REQUEST_METHOD": record["method"],
        "RAW_URI": record["target"],
        "PATH_INFO": record["path"],
        "QUERY_STRING": record["query"],
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*record["version"]),
        "REMOTE_ADDR": record["remote_addr"],
    }
    for name, value in record["request"]:
        key = "HTTP_" + name.replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    headers = [tuple(field) for field in record["response"]]
    response = SimpleNamespace(
        status=record["status"], headers=headers, sent=record["sent"], response_length=None
    )
    request = SimpleNamespace(headers=[tuple(field) for field in record["request"]])
    return response, request, environ, datetime.timedelta(microseconds=record["duration_us"])


def logger_config(**settings: Any) -> SimpleNamespace:
    """A configuration as far as a Logger reads it."""
    defaults: dict[str, Any] = {
        "accesslog": None,
        "access_log_format": DEFAULT,
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
        "proc_name": "app:app",
        "syslog": False,
        "syslog_addr": "udp://localhost:514",
        "syslog_facility": "user",
        "syslog_prefix": None,
        "user": os.geteuid(),
    }
    assert set(settings) <= set(defaults)
    return SimpleNamespace(**{**defaults, **settings})


def corpus(package: str) -> list[dict[str, Any]]:
    """Every case with the line that `package` writes."""
    oracle = Oracle(package)
    table = [(name, format, {**BASE, **changes}, True) for name, format, changes in REQUESTS]
    table += [(f"format {format!r}", format, BASE, True) for format in FORMATS]
    table += [(f"python {format!r}", format, BASE, False) for format in PYTHON_ONLY]
    return [
        {
            "name": name,
            "format": format,
            "native": native,
            "record": record,
            "line": oracle.line(format, record),
        }
        for name, format, record, native in table
    ]


if __name__ == "__main__":
    logging.raiseExceptions = True
    package = sys.argv[1] if len(sys.argv) > 1 else "gunicorn"
    cases = [json.dumps(case, sort_keys=True) for case in corpus(package)]
    print("[\n" + ",\n".join(cases) + "\n]")
