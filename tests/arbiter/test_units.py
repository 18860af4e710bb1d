"""deploy/systemd: the units, as systemd's own checker reads them, and their commands at work."""

from __future__ import annotations

import configparser
import getpass
import grp
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.notified import Notified
from harness.server import TESTS

UNITS = {path.name: path.read_text() for path in (TESTS.parent / "deploy/systemd").iterdir()}
SERVER = "/srv/shop/venv/bin/rgunicorn"


def on_this_machine(text: str, directory: Path) -> str:
    """A unit with a user and files that exist here."""
    group = grp.getgrgid(os.getgid()).gr_name
    text = text.replace("User=www-data", f"User={getpass.getuser()}")
    text = text.replace("Group=www-data", f"Group={group}")
    return text.replace(SERVER, sys.executable).replace("/srv/shop", str(directory))


def test_there_are_units() -> None:
    assert sorted(UNITS) == ["shop.service", "web.service", "web.socket"]


@pytest.mark.parametrize("names", [["shop.service"], ["web.socket", "web.service"]], ids=str)
def test_systemd_accepts(names: list[str], tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    for name in names:
        (tmp_path / name).write_text(on_this_machine(UNITS[name], tmp_path))
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", *names],
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_LOG_TARGET": "console"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    complaints = [line for line in done.stderr.splitlines() if any(it in line for it in names)]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    text = on_this_machine(UNITS["shop.service"], tmp_path)
    (tmp_path / "shop.service").write_text(text.replace("WatchdogSec", "WatchDogSeconds"))
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", "shop.service"],
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_LOG_TARGET": "console"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "WatchDogSeconds" in done.stderr


def test_the_command_of_the_service_works(spawn, command, tmp_path):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(UNITS["shop.service"])
    service = unit["Service"]
    words = shlex.split(service["ExecStart"].replace("/run/shop", str(tmp_path)))
    assert words.pop(0) == SERVER
    assert words.pop() == "shop.wsgi:application"
    manager = Notified(tmp_path)
    # The application's and the command line's; the harness's own file would bind elsewhere.
    (tmp_path / "empty.py").touch()
    server = spawn(
        "tiny:application",
        command=replace(command, argv=(*command.argv, *words)),
        args=("-c", str(tmp_path / "empty.py"), "--no-control-socket"),
        env={
            "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": service["WatchdogSec"] + "000000",
        },
        ready=False,
    )
    assert manager.next().lines[0] == "READY=1"
    server.wait_log("Booting worker", 4)
    reload = shlex.split(service["ExecReload"].replace("$MAINPID", str(server.pid)))
    subprocess.run(reload, check=True, timeout=20)
    if not command.is_gunicorn:
        assert [manager.next().lines[0] for _ in range(2)] == ["RELOADING=1", "READY=1"]
    server.wait_log("Worker exiting", 4)
    server.assert_clean_exit()
    manager.close()
