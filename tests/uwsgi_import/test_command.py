"""`rgunicorn import-uwsgi`, as a user calls it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config.command_line import APP, CommandLine

INI = "[uwsgi]\nmodule = app\nmaster = true\nspooler = /spool\n"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    line = CommandLine("rgunicorn", sys.executable, tmp_path)
    line.write("app.py", APP)
    line.write("shop.ini", INI)
    return line


def test_to_standard_output(line: CommandLine) -> None:
    done = line("import-uwsgi", "shop.ini")
    assert done.returncode == 0
    assert '# shop.ini:2: module = app\nwsgi_app = "app:application"\n' in done.stdout
    assert "# shop.ini:4: spooler = /spool\n" in done.stdout
    first, *rest = done.stderr.splitlines()
    assert first == ("shop.ini: 3 settings; 1 done elsewhere; 1 not needed, or without effect here")
    told = "\n".join(rest)
    assert "  shop.ini:4: spooler = /spool\n      There is no queue of tasks" in told
    assert "Instead: Celery" in told
    assert "  shop.ini:3: master = true - There is always a master." in told
    assert line("import-uwsgi", "--quiet", "shop.ini").stderr == ""


def test_to_a_file(line: CommandLine) -> None:
    os.chmod(line.directory / "shop.ini", 0o640)
    out = line.directory / "gunicorn.conf.py"
    done = line("import-uwsgi", "shop.ini", "-o", "gunicorn.conf.py")
    assert (done.returncode, done.stdout) == (0, "")
    text = out.read_text()
    assert 'wsgi_app = "app:application"' in text
    # It holds what the uWSGI file held, passwords as well.
    assert stat.S_IMODE(out.stat().st_mode) & 0o027 == 0
    assert line("--check-config").returncode == 0
    again = line("import-uwsgi", "shop.ini", "-o", "gunicorn.conf.py")
    assert again.returncode == 1
    assert again.stderr == "Error: gunicorn.conf.py exists; --force replaces it\n"
    line.write("shop.ini", "[uwsgi]\nmodule = app\n")
    os.chmod(out, 0o666)
    assert line("import-uwsgi", "shop.ini", "-o", "gunicorn.conf.py", "--force").returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert "spooler" not in out.read_text()


def test_strict(line: CommandLine) -> None:
    done = line("import-uwsgi", "--strict", "shop.ini")
    assert done.returncode == 3 and "wsgi_app" in done.stdout
    line.write("shop.ini", "[uwsgi]\nmodule = app\nmaster = true\n")
    assert line("import-uwsgi", "--strict", "shop.ini").returncode == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.ini"], "Error: none.ini: No such file or directory"),
        (["shop.ini:none"], "Error: shop.ini: there is nothing in a section [none]"),
        (["."], "Error: . is a directory"),
        (["shop.ini", "-o", "no/where.py"], "Error: no/where.py: No such file or directory"),
        (["--format", "xml", "shop.ini"], "Error: shop.ini:1: syntax error"),
        (["a\nb"], "Error: a\\nb: No such file"),
    ],
)
def test_what_a_user_did_wrong(line: CommandLine, args: list[str], message: str) -> None:
    done = line("import-uwsgi", *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_usage(line: CommandLine) -> None:
    assert line("import-uwsgi").returncode == 2
    told = line("import-uwsgi", "--help").stdout
    assert "exit code" in told and "--strict" in told


def test_a_reader_that_has_seen_enough(line: CommandLine) -> None:
    command = f"{sys.executable} -m rgunicorn import-uwsgi --quiet shop.ini | true; true"
    done = subprocess.run(
        ["sh", "-c", command], cwd=line.directory, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


def test_a_module_of_that_name_is_the_application(line: CommandLine) -> None:
    line.write("import-uwsgi.py", APP)
    done = line("--check-config", "import-uwsgi")
    assert done.returncode == 0, done.stderr
    assert "uWSGI" not in line("import-uwsgi", "--help").stdout
