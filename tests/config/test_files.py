"""`static_map`, `unix_socket_owner`, `unix_socket_mode`: what they take, and what is said of the
rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.command_line import CommandLine
from rgunicorn.config import Config
from rgunicorn.errors import ConfigError

WRITE = "write PREFIX=DIR, such as /static=/srv/app/static"
OCTAL = "write it in octal, as text or with 0o: '660' or 0o660"


def configured(name: str, value: Any) -> Any:
    cfg = Config()
    cfg.set(name, value)
    return cfg.settings[name].get()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("/static=/srv", ["/static=/srv"]),
        (["/static=/srv", " /media/=m "], ["/static=/srv", "/media/=m"]),
        (("/=a=b",), ["/=a=b"]),
        ({"/static": "/srv", "/m": Path("/srv/m")}, ["/static=/srv", "/m=/srv/m"]),
    ],
)
def test_ways_to_write_a_map(value: Any, stored: list[str]) -> None:
    assert configured("static_map", value) == stored


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("/static", f"'/static' names no directory; {WRITE}"),
        ("/static=", f"'/static=' names no directory; {WRITE}"),
        ("static=/srv", f"'static=/srv' has a prefix without a slash before it; {WRITE}"),
        (["=/srv"], f"'=/srv' has a prefix without a slash before it; {WRITE}"),
        (
            "/a/../b=/srv",
            "'/a/../b=/srv' has a prefix that no path begins with: leave out '//', '/./' and "
            "'/../'",
        ),
        (
            ["/s=/a", "/s/=/b"],
            "'/s=/a' and '/s/=/b' have the same prefix: keep one",
        ),
    ],
)
def test_a_wrong_map_is_named(value: Any, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        configured("static_map", value)
    assert str(caught.value) == f"static_map: {error}"


@pytest.mark.parametrize("check", [["--check-config"], []], ids=["check", "start"])
def test_a_directory_has_to_be_there(ours: CommandLine, check: list[str]) -> None:
    (ours.directory / "file").write_text("")
    for name, what in [("nothing", "does not exist"), ("file", "is no directory")]:
        done = ours(*check, f"--static-map=/s={name}", "app")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"\nError: static_map = '/s={name}': {ours.directory}/{name} {what}. Create it "
            "(Django: collectstatic), or correct the path; a relative one begins at chdir.\n"
        )


def test_a_relative_directory_begins_at_chdir(ours: CommandLine) -> None:
    (ours.directory / "project" / "static").mkdir(parents=True)
    (ours.directory / "project" / "app.py").write_text("def app(environ, start): ...\n")
    done = ours("--check-config", "--chdir=project", "--static-map=/s=static", "app:app")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ("660", "660"),
        (" 0660 ", "660"),
        ("0o660", "660"),
        (0o660, "660"),
        (0o777, "777"),
        ("0", "000"),
    ],
)
def test_modes(value: Any, stored: str | None) -> None:
    assert configured("unix_socket_mode", value) == stored


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (660, "660 is decimal, and means 0o1224 in octal"),
        (777, "777 is decimal, and means 0o1411 in octal"),
        (-1, "-1 is no mode"),
        (9999, "9999 is no mode"),
        ("rw", "'rw' is no mode of a socket"),
        ("668", "'668' is no mode of a socket"),
        ("1777", "'1777' is no mode of a socket"),
        ("", "'' is no mode of a socket"),
        (True, "True is no mode of a socket"),
        (6.6, "6.6 is no mode of a socket"),
    ],
)
def test_a_wrong_mode_is_named(value: Any, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured("unix_socket_mode", value)
    assert str(caught.value) == f"unix_socket_mode: {error}: {OCTAL}"


@pytest.mark.parametrize("value", [None, "root", "0", "root:root", "0:0", ":0", ":4294967294"])
def test_owners(value: str | None) -> None:
    assert configured("unix_socket_owner", value) == value


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("", "'' names no owner: write USER, USER:GROUP or :GROUP"),
        (":", "':' names no owner: write USER, USER:GROUP or :GROUP"),
        ("root:", "'root:' names no owner: write USER, USER:GROUP or :GROUP"),
        ("a:b:c", "'a:b:c' names no owner: write USER, USER:GROUP or :GROUP"),
        (
            "no-such",
            "there is no user 'no-such' on this machine: create it, or write its number",
        ),
        (
            "root:no-such",
            "there is no group 'no-such' on this machine: create it, or write its number",
        ),
        ("4294967295", "there is no user 4294967295: the largest number is 4294967294"),
    ],
)
def test_a_wrong_owner_is_named(ours: CommandLine, value: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured("unix_socket_owner", value)
    assert str(caught.value) == f"unix_socket_owner: {error}"


def test_a_wrong_owner_ends_the_start(ours: CommandLine) -> None:
    done = ours("--unix-socket-owner=no-such", "app")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Invalid value for unix_socket_owner: no-such\n\n\nError: unix_socket_owner: there is no "
        "user 'no-such' on this machine: create it, or write its number\n"
    )
