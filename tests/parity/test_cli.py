"""Commands that end by themselves: exit codes, stdout and stderr of both servers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.compare import same
from harness.server import Command, clean_environment
from parity import normal

OK = "def application(environ, start_response): pass\napp = application\n"


@dataclass(frozen=True)
class Run:
    """One command line in a directory with `app.py` and perhaps a `gunicorn.conf.py`."""

    args: str = ""
    config: str | None = None
    app: str = OK
    env: dict[str, str] = field(default_factory=dict)
    code: int = 1
    names_value: bool = False
    """rgunicorn names setting and value, Gunicorn does so for a config file only."""
    ends_with_cure: bool = False
    """rgunicorn says in a last line what to do."""


FACTORY = (
    "def create_app(name='x', y=1):\n    return lambda e, s: None\nnothing = None\nnumber = 3\n"
)
RUNS = {
    # --check-config
    "check": Run("--check-config app", code=0),
    "check, default object": Run("--check-config app:application", code=0),
    "check, wsgi_app": Run("--check-config", "wsgi_app = 'app:app'", code=0),
    "check, factory": Run("--check-config app:create_app()", app=FACTORY, code=0),
    "check, factory args": Run("--check-config app:create_app('q',y=[1])", app=FACTORY, code=0),
    "check, wrong factory args": Run("--check-config app:create_app(zz=1)", app=FACTORY),
    "check, no such object": Run("--check-config app:missing"),
    "check, no such module": Run("--check-config missing_module"),
    "check, None": Run("--check-config app:nothing", app=FACTORY),
    "check, not callable": Run("--check-config app:number", app=FACTORY),
    "check, attribute chain": Run("--check-config app:a.b"),
    "check, call of a chain": Run("--check-config app:a.b()"),
    "check, not an expression": Run("--check-config app:a["),
    "check, not a literal": Run("--check-config app:create_app(x)", app=FACTORY),
    "check, app.py": Run("--check-config app.py"),
    "check, app raises": Run("--check-config app", app="1 / 0\n"),
    "check, app syntax error": Run("--check-config app", app="def\n"),
    "check, app exits": Run("--check-config app", app="raise SystemExit(7)\n", code=7),
    # Usage
    "no app": Run(""),
    "unknown option": Run("--nonsense app", code=2),
    "ambiguous option": Run("--cert app", code=2),
    "option without value": Run("app --bind", code=2),
    "not an int": Run("--timeout 0x10 app", code=2),
    "not an int either": Run("-w many app", code=2),
    "negative": Run("-w=-1 app", names_value=True),
    "two apps are one": Run("--check-config app other", code=0),
    # Config file and environment
    "no such config": Run("-c missing.py app"),
    "config raises": Run("app", "1 / 0"),
    "config syntax error": Run("app", "def"),
    "config bad value": Run("app", "workers = 'many'"),
    "config bad type": Run("app", "workers = [1]"),
    "config negative": Run("app", "timeout = -1"),
    "config bad bool": Run("app", "preload_app = 'maybe'"),
    "config bad string": Run("app", "proc_name = 3"),
    "config bad list": Run("app", "raw_env = [1]"),
    "config bad dict": Run("app", "secure_scheme_headers = []"),
    "config bad address": Run("app", "forwarded_allow_ips = '300.1.1.1'"),
    "config bad user": Run("app", "user = 'nobody-called-so'"),
    "config bad group": Run("app", "group = 'nobody-called-so'"),
    "config bad chdir": Run("app", "chdir = '/no/such/place'"),
    "config bad header_map": Run("app", "header_map = 'maybe'"),
    "config bad reload_engine": Run("app", "reload_engine = 'magic'"),
    "config hook not callable": Run("app", "when_ready = 3"),
    "config hook arity": Run("app", "def when_ready(): pass"),
    "config hook string": Run("app", "when_ready = 'no.such.hook'"),
    "config unknown name": Run("--check-config app", "Workers = 'x'", code=0),
    "config python module": Run("--check-config -c python:missing_conf app"),
    "config odd extension": Run("--check-config -c app.txt app"),
    "proxy_protocol eats the app": Run("--proxy-protocol app:app", names_value=True),
    "args of the environment": Run(
        "--check-config app", env={"GUNICORN_CMD_ARGS": "--bogus"}, code=2
    ),
    "value of the environment": Run(
        "app", env={"GUNICORN_CMD_ARGS": "--header-map x"}, names_value=True
    ),
    # Errors of the arbiter
    "worker class": Run("-k no.such.Class app", ends_with_cure=True),
    "worker alias": Run("-k nonsense app", ends_with_cure=True),
    "bad port": Run("-b 127.0.0.1:abc app"),
    "bad fd": Run("-b fd://x app"),
    "pidfile nowhere": Run("-b 127.0.0.1:0 -p /no/such/dir/pid app"),
    "errorlog nowhere": Run("--error-logfile /no/such/dir/log app"),
    "logconfig missing": Run("--log-config missing.ini app"),
    "unix path is a file": Run("-b unix:app.py app"),
    "on_starting raises": Run("-b 127.0.0.1:0 app", "def on_starting(server): 1 / 0"),
    "when_ready raises": Run("-b 127.0.0.1:0 app", "def when_ready(server): 1 / 0"),
    "pre_fork raises": Run("-b 127.0.0.1:0 app", "def pre_fork(s, w): 1 / 0", code=255),
    "post_fork raises": Run("-b 127.0.0.1:0 app", "def post_fork(s, w): 1 / 0", code=3),
    "post_worker_init raises": Run(
        "-b 127.0.0.1:0 app", "def post_worker_init(worker): 1 / 0", code=3
    ),
    "app raises": Run("-b 127.0.0.1:0 app", app="1 / 0\n", code=3),
    "app missing": Run("-b 127.0.0.1:0 app:missing", code=4),
    "module missing": Run("-b 127.0.0.1:0 missing_module", code=3),
    "preload raises": Run("--preload -b 127.0.0.1:0 app", app="1 / 0\n"),
    "preload, object missing": Run("--preload -b 127.0.0.1:0 app:missing"),
}


@dataclass
class Ended:
    code: int
    stdout: list[str]
    stderr: list[str]


def run(command: Command, directory: Path, what: Run) -> Ended:
    directory.mkdir()
    (directory / "app.py").write_text(what.app)
    if what.config is not None:
        (directory / "gunicorn.conf.py").write_text(what.config)
    process = subprocess.Popen(
        [*command.argv, *([] if "check" in what.args else ["--no-control-socket"])]
        + what.args.split(),
        cwd=directory,
        env=clean_environment(what.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=30)
    finally:
        # A server that was not to start would have workers, all in the session of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    words = normal.log_lines(stdout, str(directory))
    return Ended(process.returncode, words, normal.essence(stderr, str(directory)))


@pytest.mark.parametrize("name", RUNS)
def test_exit(tmp_path: Path, gunicorn: Command, command: Command, name: str) -> None:
    what = RUNS[name]
    theirs, ours = run(gunicorn, tmp_path / "a", what), run(command, tmp_path / "b", what)
    assert theirs.code == what.code, theirs
    if what.names_value and not command.is_gunicorn:
        # Difference bad-value-named.
        assert ours.stderr.pop(0).startswith("Invalid value for ")
    if what.ends_with_cure and not command.is_gunicorn:
        # Difference worker-hint.
        assert ours.stderr.pop().startswith("worker_class = ")
    same(ours.stderr, theirs.stderr, "stderr")
    same(ours.stdout, theirs.stdout, "stdout")
    same(ours.code, theirs.code, "exit code")


def test_version(tmp_path: Path, gunicorn: Command, command: Command) -> None:
    for flag in ("-v", "--version"):
        theirs = run(gunicorn, tmp_path / f"a{flag}", Run(flag))
        ours = run(command, tmp_path / f"b{flag}", Run(flag))
        same(ours, theirs)


def test_help_knows_the_same_options(tmp_path: Path, gunicorn: Command, command: Command) -> None:
    """Our sentences are our own, and so are a few options: all of Gunicorn's must be there."""
    theirs, ours = (
        run(which, tmp_path / name, Run("--help"))
        for which, name in ((gunicorn, "a"), (command, "b"))
    )
    assert (theirs.code, ours.code) == (0, 0)
    same(ours.stdout[0], theirs.stdout[0])
    missing = set(options(theirs.stdout)) - set(options(ours.stdout))
    assert options(theirs.stdout) and not missing, missing


def options(help_page: list[str]) -> list[tuple[str, ...]]:
    """Each option's flags and the name of its value.

    `-c CONFIG, --config CONFIG` before CPython 3.13, `-c, --config CONFIG` since.
    """
    shown = re.findall(r"^  (-.*?)(?:  |$)", "\n".join(help_page), re.M)
    flags = re.compile(r"(?<![\w-])--?\w[\w-]*")
    return [(*flags.findall(option), option.rsplit(None, 1)[-1]) for option in shown]


@pytest.mark.ours("features that are not built yet")
@pytest.mark.parametrize(
    "config",
    [
        "dirty_workers = 1",
        "http_protocols = 'h1,h2'",
    ],
)
def test_what_is_not_built_is_refused(tmp_path: Path, command: Command, config: str) -> None:
    """Difference unbuilt: a setting that would do nothing is an error that names it."""
    found = run(command, tmp_path / "a", Run("-b 127.0.0.1:0 app", config))
    assert found.code == 1
    name = re.findall(r"\w+", config)[0]
    words = "\n".join(found.stderr)
    assert "Error: " in words
    assert f"{name} = " in words and "does not have yet" in words, words


def test_tracebacks_show_the_users_code(tmp_path: Path, command: Command) -> None:
    """Difference short-tracebacks: where in the app it happened is there, on both servers."""
    (tmp_path / "app.py").write_text("def fail():\n    1 / 0\nfail()\n")
    found = subprocess.run(
        [*command.argv, "--check-config", "app"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert f'File "{tmp_path}/app.py", line 2, in fail' in found.stderr
    assert "ZeroDivisionError: division by zero" in found.stderr


CONFIGS = {
    "defaults": Run("--print-config app"),
    "file": Run(
        "--print-config app",
        "workers = 3\nbind = ['a:1', 'unix:b']\ntimeout = '0x10'\nraw_env = ['A=1']\n"
        "def when_ready(server): pass\npost_request = lambda a, b: None\n"
        "umask = '0o22'\npreload_app = 'TRUE'\nsendfile = True\n",
    ),
    "command line": Run(
        "--print-config -w4 --bind=c:2 -b d:3 --keep 3 --preload --no-sendfile --umask 0022 "
        "-e X=1 --env Y=2 --access-logfile - --backlog 5 --reload app:app"
    ),
    "precedence": Run(
        "--print-config -t 3 app",
        "timeout = 1\nworkers = 1\nkeepalive = 1\nbacklog = 1\n",
        env={"GUNICORN_CMD_ARGS": "-t 2 -w 2 --keep-alive 2", "WEB_CONCURRENCY": "9"},
    ),
    "environment": Run(
        "--print-config app",
        env={"WEB_CONCURRENCY": "7", "PORT": "1234", "FORWARDED_ALLOW_IPS": "10.0.0.0/8,::1"},
    ),
    "failing app": Run("--print-config app:missing"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_print_config(tmp_path: Path, gunicorn: Command, command: Command, name: str) -> None:
    """All of Gunicorn's settings with equal values; settings of our own may stand between them."""
    theirs, ours = (
        run(which, tmp_path / directory, CONFIGS[name])
        for which, directory in ((gunicorn, "a"), (command, "b"))
    )
    same(ours.code, theirs.code)
    same(ours.stderr, theirs.stderr)
    settings = [dict(map(split, found.stdout)) for found in (theirs, ours)]
    assert list(settings[1]) == sorted(settings[1])
    # Difference control-socket.
    for found in settings:
        del found["control_socket"], found["control_socket_disable"]
    same({key: settings[1].get(key) for key in settings[0]}, settings[0])


def split(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()
