"""`rgunicorn doctor`, as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from config.command_line import CommandLine

APP = "def app(environ, start_response): pass\n"
CLEAN = "user = 1\ngroup = 1\n"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    line = CommandLine("rgunicorn", sys.executable, tmp_path)
    line.write("app.py", APP)
    return line


def findings(line: CommandLine, *args: str, **env: str) -> list[dict[str, str]]:
    done = line("doctor", "--json", *args, **env)
    assert done.stdout, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return [finding for finding in found if finding["check"] not in ("root", "not-root")]


def test_report(line: CommandLine) -> None:
    line.write("gunicorn.conf.py", "import os\n\nWorkers = 4\ntimeout = 0\n")
    done = line("doctor", "app:app")
    assert done.returncode == 0, done.stderr
    assert "warning: Workers = 4  (gunicorn.conf.py:3)\n    now:    Workers = 4\n" in done.stdout
    assert "    change: workers = 4\n" in done.stdout
    assert "    change: timeout = 30\n" in done.stdout
    assert line("doctor", "--strict", "app:app").returncode == 1


def test_where_values_come_from(line: CommandLine) -> None:
    line.write("other.py", "timeout = 0\n")
    env = {
        "GUNICORN_CMD_ARGS": "-c other.py --spew",
        "FORWARDED_ALLOW_IPS": "*",
        "WEB_CONCURRENCY": "999",
    }
    found = {
        finding["setting"]: finding
        for finding in findings(line, "-b", "0.0.0.0:1", "--limit-request-line=0", "app:app", **env)
    }
    origins = {name: finding["origin"] for name, finding in found.items()}
    assert origins == {
        "timeout": "other.py:1",
        "spew": "GUNICORN_CMD_ARGS: --spew",
        "forwarded_allow_ips": "environment variable FORWARDED_ALLOW_IPS",
        "limit_request_line": "command line: --limit-request-line",
        "workers": "environment variable WEB_CONCURRENCY",
    }
    assert found["limit_request_line"]["change"] == "--limit-request-line 4094"
    assert found["spew"]["change"] == "leave --spew out"


@pytest.mark.parametrize(
    ("config", "args", "setting", "why"),
    [
        ("workers = 'many'", ["app:app"], "workers", "invalid literal"),
        ("1 / 0", ["app:app"], None, "Failed to read config file"),
        ("", ["-c", "missing.py", "app:app"], None, "'missing.py' doesn't exist"),
        ("", [], None, "No application module specified."),
        ("", ["app:missing"], "wsgi_app", "Failed to find attribute 'missing' in 'app'."),
        ("", ["-c", "python:nowhere", "app:app"], None, "No module named 'nowhere'"),
    ],
)
def test_what_would_not_start(
    line: CommandLine, config: str, args: list[str], setting: str | None, why: str
) -> None:
    line.write("gunicorn.conf.py", config)
    done = line("doctor", "--json", *args)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert found["errors"] == 1 and len(errors) == 1, errors
    assert errors[0]["setting"] == setting
    assert why in errors[0]["why"]


def test_half_of_a_configuration(line: CommandLine) -> None:
    """What comes after a failure is not there: only names can be judged."""
    line.write("gunicorn.conf.py", "Threads = 2\nworkers = 'many'\ntimeout = 0\n")
    found = [finding["check"] for finding in findings(line, "app:app")]
    assert found == ["bad-value", "unknown-name"]
    line.write("gunicorn.conf.py", "timeout = 0\n")
    assert [finding["check"] for finding in findings(line)] == ["no-application", "no-timeout"]


def test_a_traceback_shows_the_users_files_only(line: CommandLine) -> None:
    line.write("app.py", "def fail():\n    1 / 0\nfail()\n")
    (finding,) = findings(line, "app:app")
    assert 'app.py", line 2, in fail' in finding["details"]
    assert "rgunicorn" not in finding["details"]
    assert findings(line, "--no-app", "app:app") == []


def test_what_the_application_prints_is_no_part_of_the_report(line: CommandLine) -> None:
    line.write("gunicorn.conf.py", "print('from the file')\n")
    line.write("app.py", "print('from the app')\n" + APP)
    done = line("doctor", "--json", "app:app")
    assert json.loads(done.stdout)["errors"] == 0
    assert "from the app" in done.stderr


def test_pythonpath_and_environment_count(line: CommandLine) -> None:
    line.write("lib/there.py", "import os\nos.environ['NEEDED']\n" + APP)
    config = "pythonpath = 'lib'\nraw_env = ['NEEDED=1']\n"
    line.write("gunicorn.conf.py", config)
    assert findings(line, "there:app") == []


def test_threads_of_a_preloaded_application(line: CommandLine) -> None:
    line.write(
        "app.py",
        "import threading\nthreading.Thread(target=threading.Event().wait, name='reporter',"
        " daemon=True).start()\n" + APP,
    )
    (finding,) = findings(line, "--preload", "app:app")
    assert finding["check"] == "preload-threads"
    assert "reporter" in finding["why"]
    assert findings(line, "app:app") == []


def test_usage_errors_are_those_of_the_server(line: CommandLine) -> None:
    done = line("doctor", "--timeout", "x", "app:app")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "argument -t/--timeout: invalid int value: 'x'" in done.stderr


def test_help(line: CommandLine) -> None:
    done = line("doctor", "--help")
    assert done.returncode == 0
    for word in ("--json", "--strict", "--no-app", "exit code", "rgunicorn --help"):
        assert word in done.stdout


def test_a_module_of_that_name_is_the_application(line: CommandLine) -> None:
    line.write("doctor.py", "def application(environ, start_response): pass\n")
    done = line("doctor", "--check-config")
    assert (done.returncode, done.stdout) == (0, "")
    line.write("doctor.py", "1 / 0\n")
    assert "Error while loading the application" in line("doctor", "--check-config").stderr
    done = line.execute("-m", "rgunicorn.app.doctor", "--json", "app:app")
    assert json.loads(done.stdout)["errors"] == 0


def test_a_directory_of_that_name_is_no_module(line: CommandLine) -> None:
    line.write("doctor/notes.txt", "")
    assert findings(line, "app:app") == []
