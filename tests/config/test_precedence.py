"""Defaults < framework's dict < config file < GUNICORN_CMD_ARGS < command line."""

from __future__ import annotations

from itertools import product

import pytest

from config.command_line import CommandLine, parse_config

# An application class that brings settings of its own, as frameworks do.
FRAMEWORK = """\
import importlib, sys
base = importlib.import_module(sys.argv.pop(1) + ".app.wsgiapp")

class Framework(base.WSGIApplication):
    def init(self, parser, opts, args):
        super().init(parser, opts, args)
        return {"Workers": 12, "bind": ["framework:1", "framework:2"]}

Framework("%(prog)s [OPTIONS] [APP_MODULE]").run()
"""
LEVELS = ("framework", "file", "environment", "flags")
VALUES = {"framework": "12", "file": "13", "environment": "14", "flags": "15"}


@pytest.mark.parametrize("used", list(product((False, True), repeat=len(LEVELS))), ids=str)
def test_the_strongest_source_wins(either: CommandLine, used: tuple[bool, ...]) -> None:
    sources = dict(zip(LEVELS, used, strict=True))
    args, env = ["--print-config", "app"], {"WEB_CONCURRENCY": "11"}
    if sources["file"]:
        either.write("gunicorn.conf.py", "workers = 13\nbind = 'file:1'\n")
    if sources["environment"]:
        env["GUNICORN_CMD_ARGS"] = "--workers=14 -b environment:1 ignored:app"
    if sources["flags"]:
        args += ["-w15", "-b", "flags:1", "--bind=flags:2"]
    if sources["framework"]:
        either.write("framework.py", FRAMEWORK)
        done = either.execute("framework.py", either.package, *args, **env)
    else:
        done = either(*args, **env)

    assert done.returncode == 0, done.stderr
    shown = parse_config(done.stdout)
    winner = next((level for level in reversed(LEVELS) if sources[level]), None)
    assert shown["workers"] == VALUES.get(winner or "", "11")
    # Whole values: lists of two sources are never joined.
    assert (
        shown["bind"]
        == {
            None: "['127.0.0.1:8000']",
            "framework": "['framework:1', 'framework:2']",
            "file": "['file:1']",
            "environment": "['environment:1']",
            "flags": "['flags:1', 'flags:2']",
        }[winner]
    )
    assert shown["default_proc_name"] == "app"


@pytest.mark.parametrize(
    ("args", "env", "expected"),
    [
        (["-c", "flag.py"], {"GUNICORN_CMD_ARGS": "-c env.py"}, "flag"),
        ([], {"GUNICORN_CMD_ARGS": "-c env.py"}, "env"),
        ([], {}, "default"),
        (["-c", "file:flag.py"], {}, "flag"),
        (["--config", "python:package.settings"], {}, "module"),
        (["-c", "noextension"], {}, "noextension"),
        # Relative to the start, wherever chdir leads.
        (["-c", "flag.py", "--chdir", "elsewhere"], {}, "flag"),
    ],
)
def test_which_config_file_is_read(
    either: CommandLine, args: list[str], env: dict[str, str], expected: str
) -> None:
    either.write("elsewhere/app.py", "application = print")
    either.write("package/__init__.py", "")
    for name, value in {
        "flag.py": "flag",
        "env.py": "env",
        "gunicorn.conf.py": "default",
        "package/settings.py": "module",
        "noextension": "noextension",
        "elsewhere/gunicorn.conf.py": "elsewhere",
    }.items():
        either.write(name, f"proc_name = {value!r}")
    assert either.config(*args, "app", **env)["proc_name"] == expected


def test_a_file_of_another_extension_is_read_with_a_warning(either: CommandLine) -> None:
    either.write("conf.txt", "workers = 3")
    done = either("--check-config", "-c", "conf.txt", "app")
    assert done.returncode == 0
    assert done.stderr == (
        "!!!\n!!! WARNING: configuration file should have a valid Python extension.\n!!!\n\n"
    )


def test_other_names_in_a_file_are_left_alone(either: CommandLine) -> None:
    either.write(
        "gunicorn.conf.py",
        "import os\nWorkers = 9\npreload = True\ndebug = 1\nworker = 'x'\nworkers = 2\n",
    )
    done = either("--print-config", "app")
    assert (done.returncode, done.stderr) == (0, "")
    assert parse_config(done.stdout)["workers"] == "2"


def test_a_file_is_executed_as_the_module_config(either: CommandLine) -> None:
    either.write("gunicorn.conf.py", "import sys\nproc_name = sys.modules[__name__].__name__")
    assert either.config("app")["proc_name"] == "__config__"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bind = 'a:1,b:2'", {"bind": "['a:1,b:2']"}),
        ("bind = ['a:1', 'unix:/b']", {"bind": "['a:1', 'unix:/b']"}),
        ("workers = '0x10'", {"workers": "16"}),
        ("reload = 'TRUE '", {"reload": "True"}),
        ("umask = 0o22", {"umask": "18"}),
        ("sendfile = False", {"sendfile": "False"}),
        ("proxy_protocol = True", {"proxy_protocol": "auto"}),
        (
            "forwarded_allow_ips = '10.0.0.0/8, ::1'",
            {"forwarded_allow_ips": "['10.0.0.0/8', '::1']"},
        ),
        ("def when_ready(server): pass", {"when_ready": "<when_ready()>"}),
        ("user = None\ngroup = '0'", {"group": "0"}),
    ],
)
def test_values_in_a_file(either: CommandLine, text: str, expected: dict[str, str]) -> None:
    either.write("gunicorn.conf.py", text)
    shown = either.config("app")
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("env", "name", "expected"),
    [
        ({"PORT": "5000"}, "bind", "['0.0.0.0:5000']"),
        ({"WEB_CONCURRENCY": "7"}, "workers", "7"),
        ({"WEB_CONCURRENCY": " 010 "}, "workers", "10"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "forwarded_allow_ips", "['*']"),
        ({"FORWARDED_ALLOW_IPS": ""}, "forwarded_allow_ips", "[]"),
        ({"GUNICORN_CMD_ARGS": "--name 'two words'"}, "proc_name", "two words"),
        ({"XDG_RUNTIME_DIR": "/tmp"}, "control_socket", "/tmp/gunicorn.ctl"),
        ({"XDG_RUNTIME_DIR": "/none", "HOME": "/h"}, "control_socket", "/h/.gunicorn/gunicorn.ctl"),
    ],
)
def test_defaults_from_the_environment(
    either: CommandLine, env: dict[str, str], name: str, expected: str
) -> None:
    assert either.config("app", **env)[name] == expected


def test_wsgi_app_counts_only_without_a_positional_app(either: CommandLine) -> None:
    either.write("gunicorn.conf.py", "wsgi_app = 'missing:app'")
    assert either("--check-config", "app").returncode == 0
    assert "No module named 'missing'" in either("--check-config").stderr
    either.write("gunicorn.conf.py", "wsgi_app = 'app:application'")
    assert either("--check-config").returncode == 0
