"""Sizes and durations of our own settings, from every source, and what is said about wrong ones."""

from __future__ import annotations

import shlex

import pytest

from config.command_line import CommandLine

SIZES = "allowed are whole bytes, or a whole number with K, M or G, such as 64K"
DURATIONS = "allowed are seconds, or a number with ms, s, m, h or d, such as 1.5 or 2m"


def test_every_source_takes_units(ours: CommandLine) -> None:
    ours.write(
        "gunicorn.conf.py",
        "request_buffer_size = 1 << 20\nrequest_buffer_limit = '2M'\n"
        "client_header_timeout = 1.5\nclient_write_timeout = '0'\n",
    )
    shown = ours.config(
        "--response-buffer-size=128kib",
        "--client-body-timeout",
        "500ms",
        "app",
        GUNICORN_CMD_ARGS="--response-buffer-limit 1G --client-write-timeout 2m",
    )
    assert {name: shown[name] for name in shown if name.partition("_")[2] in KINDS} == {
        "request_buffer_size": "1048576",
        "request_buffer_limit": "2097152",
        "response_buffer_size": "131072",
        "response_buffer_limit": "1073741824",
        "client_header_timeout": "1.5",
        "client_body_timeout": "0.5",
        "client_write_timeout": "120",
    }


KINDS = {
    f"{what}_{kind}"
    for what, kind in [
        ("buffer", "size"),
        ("buffer", "limit"),
        ("header", "timeout"),
        ("body", "timeout"),
        ("write", "timeout"),
    ]
}


@pytest.mark.parametrize("source", ["flag", "file", "environment"])
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("request_buffer_size", "1.5M", f"Invalid size: '1.5M'; {SIZES}"),
        ("request_buffer_limit", "-1", f"Invalid size: '-1'; {SIZES}"),
        ("response_buffer_size", "lots", f"Invalid size: 'lots'; {SIZES}"),
        ("response_buffer_limit", "64T", f"Invalid size: '64T'; {SIZES}"),
        ("request_timeout", "soon", f"Invalid duration: 'soon'; {DURATIONS}"),
        ("log_slow", "-0.5", f"Invalid duration: '-0.5'; {DURATIONS}"),
        ("client_header_timeout", "-1", f"Invalid duration: '-1'; {DURATIONS}"),
        ("client_body_timeout", "1w", f"Invalid duration: '1w'; {DURATIONS}"),
        ("client_write_timeout", "", f"Invalid duration: ''; {DURATIONS}"),
        ("max_queue", "-1", "Value must be positive: -1"),
        ("max_queue_time", "soon", f"Invalid duration: 'soon'; {DURATIONS}"),
        (
            "reload_strategy",
            "never",
            "Invalid reload_strategy: 'never'; allowed are ready, rolling and gunicorn",
        ),
        (
            "access_log_when",
            "2xx",
            "Invalid access_log_when: '2xx'; allowed are all, or any of 4xx, 5xx, slow:SECONDS and "
            "sample:N with commas between them, such as 5xx,slow:1.5,sample:100",
        ),
        ("max_rss", "1.5G", f"Invalid size: '1.5G'; {SIZES}"),
        ("max_worker_lifetime", "1w", f"Invalid duration: '1w'; {DURATIONS}"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    ours: CommandLine, source: str, name: str, value: str, error: str
) -> None:
    flag = f"--{name.replace('_', '-')}={value}"
    if source == "file":
        ours.write("gunicorn.conf.py", f"{name} = {value!r}\n")
    done = ours(
        "--check-config",
        *([flag] if source == "flag" else []),
        "app",
        **({"GUNICORN_CMD_ARGS": shlex.quote(flag)} if source == "environment" else {}),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Invalid value for {name}: {value}\n\n\nError: {error}\n"


@pytest.mark.parametrize("check", [["--check-config"], []], ids=["check", "start"])
@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ["--request-buffer-size=32M"],
            "request_buffer_size = 33554432 is more than request_buffer_limit = 16777216: raise "
            "request_buffer_limit, or set request_buffer_size to 16777216 or less.",
        ),
        (
            ["--response-buffer-size=2K", "--response-buffer-limit=1K"],
            "response_buffer_size = 2048 is more than response_buffer_limit = 1024: raise "
            "response_buffer_limit, or set response_buffer_size to 1024 or less.",
        ),
    ],
)
def test_a_size_above_its_limit_is_refused(
    ours: CommandLine, check: list[str], args: list[str], error: str
) -> None:
    done = ours(*check, *args, "app")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"\nError: {error}\n")


@pytest.mark.parametrize(
    "args",
    [
        ["--request-buffer-limit=0", "--response-buffer-limit=0"],
        ["--request-buffer-size=32M", "--request-buffer-limit=32M"],
        ["--response-buffer-size=0"],
    ],
    ids=" ".join,
)
def test_a_limit_below_the_default_of_its_size_is_fine(ours: CommandLine, args: list[str]) -> None:
    done = ours("--check-config", *args, "app")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_reload_strategy(ours: CommandLine) -> None:
    assert ours.config("app")["reload_strategy"] == "ready"
    assert ours.config("--reload-strategy=Gunicorn", "app")["reload_strategy"] == "gunicorn"


def test_limits_of_waiting(ours: CommandLine) -> None:
    assert [ours.config("app")[name] for name in ("max_queue", "max_queue_time")] == ["0", "0"]
    shown = ours.config("--max-queue=50", "--max-queue-time=1500ms", "app")
    assert [shown[name] for name in ("max_queue", "max_queue_time")] == ["50", "1.5"]


@pytest.mark.parametrize(
    ("bind", "status"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("127.0.0.1:9", ":9"),
        ("0.0.0.0:9", "127.0.0.1:9"),
        ("[::]:9", "127.0.0.1:9"),
        ("unix:/run/s", "unix:///run/s"),
    ],
)
def test_the_status_pages_have_an_address_of_their_own(
    ours: CommandLine, bind: str, status: str
) -> None:
    done = ours("--check-config", "--bind", bind, "--status-bind", status, "app")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"\nError: status_bind = {status!r} is where the application is served (bind = {bind!r}): "
        "give it another port or path.\n"
    )


@pytest.mark.parametrize(
    ("bind", "status"),
    [("127.0.0.1:8000", "127.0.0.1:8001"), ("unix:/run/s", "unix:/run/t"), (":0", ":0")],
)
def test_another_one_is_fine(ours: CommandLine, bind: str, status: str) -> None:
    done = ours("--check-config", "--bind", bind, "--status-bind", status, "app")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
