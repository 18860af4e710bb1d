"""Configurations, read by real uWSGI and by `rgunicorn import-uwsgi`: both see the same options."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from harness.server import thirdparty
from rgunicorn.uwsgi_import import logic, reading
from rgunicorn.uwsgi_import.option import Unreadable
from rgunicorn.uwsgi_import.table import find
from uwsgi_import.imported import SAMPLES

ENVIRON = {"SHOP": "%(a)-shop", "PATH": os.environ["PATH"]}
STOP = ("--pidfile", "/nowhere/uwsgi.pid")
# What shapes others and is an option itself only for uWSGI.
SHAPES = {*logic.NAMES, *reading.PLACEHOLDER, "ini", "include", "inherit", "show-config"}

PLACEHOLDERS = """\
lost = 1
[other]
x = 1
[uwsgi]
; comment
 # comment
\tmaster
env = A=1 # no comment
env=
project = shop
base = /srv
set-placeholder = app=%(project)$(SHOP)
home2 = %(base)/%(app)/venv
all = %(home2)%(nothing)%((a))%(%(base)
from-file = x@({directory}/token)y
sum = %(n + 2 * 3)
cat = %(n n ++)
half = %(sum / 2)
neg = %(0 - 7 / 2)
none = %(n / 0)
n = 4
flag
is = %(flag)
a = $(SHOP)
after = %(base)%(app)
for = 1 2
turn = :303%(_)
flag2
endfor =
for-times = 2
mul = %(_)
end-for
if-opt = flag
yes = 1
endif =
if-opt = turn=:3031
yes2 = %(_)
endif
if-not-opt = turn=:3031
no2 = x
if-opt = flag
endif
magic = 10%z %% %n|%e|%s|%c|%d|%p|%0|%9|%x|%h|%u|%g|%k
inherit = {directory}/late.ini
ini = {directory}/more.ini
last = 1
[uwsgi]
again = 2
"""

PIECES = (
    *("%(a)", "%(b)", "%(c d)", "%(a + 1)", "%(a ++)", "%(2 * c / 0)", "$(SHOP)", "%n", "%c"),
    *("%%", "%(", "(", ")", "%(x", "%((a))", "1", "7", " ", "x", "=", ";", "#", "\t", "é", "%q"),
    *("%0", "%9", "%(_)", "\x0c", "\\", "%s", "%x"),
)


@pytest.fixture(scope="module")
def uwsgi() -> str:
    command = thirdparty("rgunicorn")
    path = Path(command.python).parent / "uwsgi" if command else None
    if path is None or not path.exists():
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON has no uwsgi: see requirements-thirdparty.txt")
    return str(path)


def seen_by_uwsgi(uwsgi: str, path: Path) -> list[str] | None:
    """What uWSGI shows of a file; None if it refuses it, crashes or hangs."""
    # A pidfile that can not be written ends it when it has shown what we want, before it serves.
    argv = [uwsgi, "--ini", path.name, "--show-config", *STOP]
    try:
        done = subprocess.run(argv, cwd=path.parent, env=ENVIRON, capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return None
    out = (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
    shown = re.search(r";uWSGI instance configuration\n\[uwsgi\]\n(.*);end of conf", out, re.S)
    if shown is None:
        return None
    lines = [line for line in shown[1].split("\n") if line and line != " = ".join(STOP)[2:]]
    return [line for line in lines if line.split(" = ")[0] not in SHAPES]


def seen_by_us(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str] | None:
    """The same by ours; None if it is refused, or left open."""
    monkeypatch.chdir(path.parent)
    try:
        options = reading.read(path.name, None, ENVIRON).options
    except Unreadable:
        return None
    if not all(option.is_sure for option in options):
        return None
    return [f"{option.name} = {option.value}" for option in options]


def test_placeholders_and_logic(
    uwsgi: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "late.ini").write_text("[uwsgi]\nlate = %n %N\n")
    (tmp_path / "more.ini").write_text("[uwsgi]\nmore = %n %N\n")
    path = tmp_path / "shop.v.ini"
    path.write_text(PLACEHOLDERS.format(directory=tmp_path))
    seen = seen_by_uwsgi(uwsgi, path)
    assert seen is not None and len(seen) > 30
    assert seen_by_us(path, monkeypatch) == seen


@pytest.mark.parametrize("name", ["quickstart", "flask", "django", "hardened"])
def test_samples(uwsgi: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ini"
    text = (SAMPLES / f"{name}.ini").read_text()
    # What uWSGI does at once, before it shows anything.
    path.write_text(
        re.sub(r"^(daemonize|pidfile|cron|static-map|spooler) *=.*", "", text, flags=re.M)
    )
    seen = seen_by_uwsgi(uwsgi, path)
    assert seen and seen_by_us(path, monkeypatch) == seen


def test_any_values(uwsgi: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values put together at random, a hundred in a file; the same ones in each run."""
    chance = random.Random(6)
    compared = 0
    for number in range(12):
        lines = ["[uwsgi]", "a = 1", "b = %(a)2", "c = 3", "d = %(later)", "set-ph = e=%(b)"]
        for index in range(100):
            value = "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 6)))
            lines.append(f"x{index} = {value.rstrip('%')}")
        path = tmp_path / f"n{number}.ini"
        path.write_text("\n".join([*lines, "later = 9", ""]))
        seen = seen_by_uwsgi(uwsgi, path)
        if seen is not None:
            assert seen_by_us(path, monkeypatch) == seen
            compared += len(seen)
    assert compared > 500, "uWSGI crashes on most of these: find other values"


def test_every_option_of_uwsgi_is_known(uwsgi: str) -> None:
    done = subprocess.run(
        [uwsgi, "--dump-options"], capture_output=True, text=True, timeout=20, check=True
    )
    names = set(done.stdout.split())
    assert {"http-socket", "harakiri", "wsgi-file", "cheaper-busyness-max"} <= names
    assert not {name for name in names - SHAPES - {"set"} if find(name) is None}
