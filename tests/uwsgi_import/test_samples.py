"""Whole files as people write them: what they become, and that both servers take it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from config.command_line import APP, CommandLine
from harness.server import Command
from rgunicorn.config import KNOWN_SETTINGS, Config
from rgunicorn.settings.own import refuse_conflicts
from uwsgi_import.imported import LOCATIONS, SAMPLES, converted, executed, expected

# Prints what Gunicorn makes of config files.
LOADER = """\
import json, sys
from gunicorn.app.base import Application
class Loaded(Application):
    def init(self, parser, opts, args): pass
    def load(self): pass
found = {}
for path in sys.argv[1:]:
    sys.argv = ["gunicorn", "-c", path]
    cfg = Loaded().cfg
    found[path] = {name: cfg.settings[name].get() for name in
                   ("bind", "workers", "threads", "wsgi_app", "timeout", "raw_env", "uid", "gid")
                   if name in cfg.settings}
print(json.dumps(found))
"""


@pytest.mark.parametrize("location", LOCATIONS)
def test_what_they_become(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python tests/uwsgi_import/imported.py` writes the expected files anew."""
    monkeypatch.chdir(SAMPLES)
    assert converted(location)[1] == expected(location).read_text()


def moved(directory: Path) -> dict[str, Path]:
    """The config files of all samples, with their directories below `directory`."""
    paths = {}
    for location in LOCATIONS:
        name, _, section = location.partition(":")
        source = directory / name
        text = (SAMPLES / name).read_text()
        source.write_text(text.replace("/srv", str(directory)))
        path = directory / f"{expected(location).stem}.py"
        path.write_text(converted(f"{source}:{section}" if section else str(source))[1])
        paths[location] = path
    static = [f"mysite/{name}" for name in ("static", "media")]
    static += [f"lms/assets/{name}" for name in ("css", "js")]
    for place in ("myproject", "lms/app", "shop", *static):
        (directory / place).mkdir(parents=True)
    return paths


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return moved(tmp_path)


def test_rgunicorn_takes_them(files: dict[str, Path]) -> None:
    known = {setting.name for setting in KNOWN_SETTINGS}
    for path in files.values():
        cfg = Config()
        names = executed(path.read_text())
        assert names.keys() <= known
        for name, value in names.items():
            cfg.set(name, value)
        refuse_conflicts(cfg)


def unbuilt() -> set[str]:
    return {setting.name for setting in KNOWN_SETTINGS if setting.unbuilt is not None}


def test_the_server_would_start(files: dict[str, Path], tmp_path: Path) -> None:
    """All but the one that needs gevent; settings that are not built yet are left out."""
    line = CommandLine("rgunicorn", __import__("sys").executable, tmp_path)
    for module in ("myproject/myproject/wsgi", "wsgi", "mysite/mysite/wsgi", "pricing/service"):
        line.write(f"{module}.py", APP + "app = application\n")
    for module in ("lms/app/lms/wsgi", "admin"):
        line.write(f"{module}.py", APP + "app = application\n")
    for location, path in files.items():
        names = executed(path.read_text())
        if names.get("worker_class") == "gevent":
            continue
        text = "".join(f"{key} = {names[key]!r}\n" for key in names.keys() - unbuilt())
        path.write_text(text)
        done = line("--check-config", "-c", str(path))
        assert done.returncode == 0, (location, done.stderr)


def test_gunicorn_takes_them(files: dict[str, Path], gunicorn: Command) -> None:
    done = subprocess.run(
        [gunicorn.python, "-c", LOADER, *map(str, files.values())],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for path, taken in json.loads(done.stdout).items():
        names = executed(Path(path).read_text())
        for name, value in taken.items():
            if name in names:
                assert value == names[name], (path, name)
