"""What a user reads, and the exit code, when something is wrong before the server runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from config.command_line import CommandLine
from rgunicorn.config import KNOWN_SETTINGS

USAGE = "usage: SERVER [OPTIONS] [APP_MODULE]\nSERVER: error: "


@dataclass
class Case:
    """`stderr` is all of it, with SERVER for the program's name."""

    args: list[str]
    stderr: str
    code: int = 1
    file: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    # What rgunicorn says instead, where it says more than Gunicorn.
    ours: str | None = None


def invalid(name: str, value: str, error: str) -> dict[str, str]:
    """Gunicorn names the setting when a config file is wrong; rgunicorn always does."""
    stderr = f"\nError: {error}\n"
    return {"stderr": stderr, "ours": f"Invalid value for {name}: {value}\n\n{stderr}"}


CASES = {
    "no app": Case([], "\nError: No application module specified.\n"),
    "not a number": Case(
        ["-w", "many", "app"], f"{USAGE}argument -w/--workers: invalid int value: 'many'\n", 2
    ),
    "hexadecimal": Case(
        ["--timeout", "0x10", "app"],
        f"{USAGE}argument -t/--timeout: invalid int value: '0x10'\n",
        2,
    ),
    "unknown flag": Case(["--nope", "app"], f"{USAGE}unrecognized arguments: --nope\n", 2),
    "flag as a setting": Case(
        ["--max_requests=10", "app", "--access-log-format", "json"],
        f"{USAGE}unrecognized arguments: --max_requests=10 --access-log-format json\n",
        2,
        ours=f"{USAGE}unrecognized arguments: --max_requests=10 --access-log-format json\n"
        "--max_requests: perhaps --max-requests is meant\n"
        "--access-log-format: perhaps --access-logformat is meant\n",
    ),
    "extra app": Case(["app", "-w", "2", "other"], f"{USAGE}unrecognized arguments: other\n", 2),
    "no value": Case(["app", "-b"], f"{USAGE}argument -b/--bind: expected one argument\n", 2),
    "negative": Case(["-w=-1", "app"], **invalid("workers", "-1", "Value must be positive: -1")),
    "proxy protocol eats the app": Case(
        ["--proxy-protocol", "app:app"],
        **invalid("proxy_protocol", "app:app", "proxy_protocol must be: off, v1, v2, or auto"),
    ),
    "chdir": Case(["--chdir", "/x", "app"], **invalid("chdir", "/x", "can't chdir to '/x'")),
    "user": Case(["-u", "x", "app"], **invalid("user", "x", "No such user: 'x'")),
    "group": Case(["-g", "x", "app"], **invalid("group", "x", "No such group: 'x'")),
    "paste without PasteDeploy": Case(
        ["--paste", "app.ini"],
        "\nError: No module named 'paste'\n",
        ours="\nError: paste = 'app.ini' needs the package PasteDeploy: pip install PasteDeploy\n",
    ),
    "config file missing": Case(["-c", "x.py", "app"], "\nError: 'x.py' doesn't exist\n"),
    "config module missing": Case(["-c", "python:x", "app"], "\nError: No module named 'x'\n"),
    "value in the file": Case(
        ["app"],
        "Invalid value for workers: many\n\n\n"
        "Error: invalid literal for int() with base 0: 'many'\n",
        file="workers = 'many'",
    ),
    "arity": Case(
        ["app"],
        "Invalid value for on_exit: SOMETHING\n\n\nError: Value must have an arity of: 1\n",
        file="class A(type):\n    def __str__(self): return 'SOMETHING'\n"
        "class on_exit(metaclass=A):\n    def __init__(self, a, b): pass\n",
    ),
    "reload engine": Case(
        ["--reload-engine", "x", "app"],
        **invalid("reload_engine", "x", "Invalid reload_engine: 'x'"),
    ),
    "header map": Case(
        ["--header-map", "x", "app"],
        **invalid("header_map", "x", "Invalid header map behaviour: x"),
    ),
    "addresses": Case(
        ["--forwarded-allow-ips", "x", "app"],
        **invalid("forwarded_allow_ips", "x", "'x' does not appear to be an IPv4 or IPv6 network"),
    ),
    "bad words in the environment": Case(
        ["app"],
        "\nError: No closing quotation\n",
        env={"GUNICORN_CMD_ARGS": "--name 'x"},
        ours='\nError: GUNICORN_CMD_ARGS="--name \'x": No closing quotation\n',
    ),
    "bad flag in the environment": Case(
        ["app"],
        f"{USAGE}argument -w/--workers: invalid int value: 'x'\n",
        2,
        env={"GUNICORN_CMD_ARGS": "-w x"},
    ),
    "addresses in the environment": Case(
        ["app"],
        "\nError: 'x' does not appear to be an IPv4 or IPv6 network\n",
        env={"FORWARDED_ALLOW_IPS": "x"},
        ours="\nError: environment variable FORWARDED_ALLOW_IPS='x' is no value for "
        "forwarded_allow_ips: 'x' does not appear to be an IPv4 or IPv6 network\n",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_message_and_exit_code(either: CommandLine, case: Case) -> None:
    if case.file is not None:
        either.write("gunicorn.conf.py", case.file)
    done = either("--check-config", *case.args, **case.env)
    expected = case.ours if either.is_ours and case.ours is not None else case.stderr
    assert done.stderr.replace("rgunicorn:", "gunicorn:").replace(
        "usage: rgunicorn", "usage: gunicorn"
    ) == expected.replace("SERVER", "gunicorn")
    assert (done.returncode, done.stdout) == (case.code, "")


def test_ambiguous_abbreviation(either: CommandLine) -> None:
    done = either("--limit", "3", "app")
    assert done.returncode == 2
    assert "error: ambiguous option: --limit could match --limit-request-line" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["app:application", "--keep", "3"],
        ["--keep=3", "app"],
        ["-w4", "--keep-alive", "3", "app"],
        ["app", "ignored:app", "-", "--keep-alive=3"],
    ],
    ids=" ".join,
)
def test_forms_of_the_command_line(either: CommandLine, args: list[str]) -> None:
    shown = either.config(*args)
    assert shown["keepalive"] == "3"
    assert shown["default_proc_name"] == next(arg for arg in args if arg.startswith("app"))


@pytest.mark.parametrize("value", ["", "four"])
def test_web_concurrency_that_is_no_number_is_named(ours: CommandLine, value: str) -> None:
    done = ours("--check-config", "app", WEB_CONCURRENCY=value)
    assert done.returncode == 1
    assert done.stderr == (
        f"\nError: environment variable WEB_CONCURRENCY={value!r} is no value for workers: "
        f"invalid literal for int() with base 0: {value!r}\n"
    )


def test_a_negative_web_concurrency_is_named(ours: CommandLine) -> None:
    done = ours("--check-config", "app", WEB_CONCURRENCY="-2")
    assert (done.returncode, done.stderr) == (
        1,
        "\nError: environment variable WEB_CONCURRENCY='-2' is no value for workers: "
        "Value must be positive: -2\n",
    )


def test_gunicorn_exits_with_1_as_well(gunicorn: CommandLine) -> None:
    for value in ("", "four", "-2"):
        assert gunicorn("--check-config", "app", WEB_CONCURRENCY=value).returncode == 1


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("import os\n1 / 0\n", "ZeroDivisionError: division by zero"),
        ("workers = = 2\n", "SyntaxError: invalid syntax"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_config_file_that_fails(either: CommandLine, text: str, last: str) -> None:
    path = either.write("conf.py", text)
    done = either("--check-config", "-c", str(path), "app")
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[0]) == (1, f"Failed to read config file: {path}")
    assert lines[-1] == last
    assert f'File "{path}", line' in done.stderr
    if either.is_ours:
        # The user's own frames only.
        assert "rgunicorn" not in done.stderr
        assert "importlib" not in done.stderr


def test_version(either: CommandLine) -> None:
    done = either("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"{either.package} \(version \d+\.\d+\.\d+\)\n", done.stdout)
    assert either("-v").stdout == done.stdout


def test_help_shows_every_flag_under_its_section(ours: CommandLine) -> None:
    done = ours("-h")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: rgunicorn [OPTIONS] [APP_MODULE]\n")
    for setting in KNOWN_SETTINGS:
        if setting.cli:
            assert re.search(rf"^  .*{re.escape(setting.cli[-1])}\b", done.stdout, re.M)
            assert f"\n{setting.section}:\n" in done.stdout


def test_help_of_gunicorn_has_no_other_flags(ours: CommandLine, gunicorn: CommandLine) -> None:
    def flags(text: str) -> set[str]:
        return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", "\n".join(option_lines(text))))

    def option_lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if re.match(r"  -", line)]

    own = {s.cli[0] for s in KNOWN_SETTINGS if s.section == "rgunicorn" and s.cli}
    assert flags(ours("-h").stdout) - flags(gunicorn("-h").stdout) == own
    assert flags(gunicorn("-h").stdout) - flags(ours("-h").stdout) == set()


def test_print_config_of_both_is_the_same(ours: CommandLine, gunicorn: CommandLine) -> None:
    args = ["--print-config", "-b", "a:1", "--env", "A=b", "app"]
    theirs, mine = gunicorn(*args), ours(*args)
    own = {s.name for s in KNOWN_SETTINGS if s.section == "rgunicorn"}
    lines = [line for line in mine.stdout.splitlines() if line.split()[0] not in own]
    assert lines == theirs.stdout.splitlines()
    assert (mine.stderr, mine.returncode) == (theirs.stderr, theirs.returncode) == ("", 0)


def test_wrong_raw_env_is_no_traceback(ours: CommandLine) -> None:
    done = ours("--check-config", "-e", "NOVALUE", "app")
    assert (done.returncode, done.stderr) == (
        1,
        "\nError: environment setting 'NOVALUE' invalid\n",
    )
