"""Sources watched, lines traced, the configuration checked and printed."""

from __future__ import annotations

import re
import time

from harness.wire import get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage


def reloaded(name: str, text: str, sure: bool = False):  # type: ignore[no-untyped-def]
    """Changes a file, and again as long as nobody notices: Gunicorn's watcher takes the file as it
    finds it when it looks for the first time, some time after the worker has booted."""

    def observe(stage: Stage) -> object:
        file, words = stage.directory / name, re.escape(name) + " modified"
        # The old code must have been imported before it changes.
        stage.ask(get("/"))
        booted = stage.server.log().count("Booting worker")

        def noticed() -> bool:
            if file.read_text() != text or time.time() - file.stat().st_mtime > 2.5:
                file.write_text(text)
            return bool(stage.lines(words))

        if stage.waited(noticed, sure):
            stage.server.wait_log("Booting worker", booted + 1)
        return sorted(set(stage.lines(words))), stage.call("/"), bool(stage.lines("Reloader is on"))

    return observe


def spewed(stage: Stage) -> object:
    stage.call("/hello")
    # Trace of the application's lines; others are those of each server.
    return sorted(set(re.findall(r"^probe:\d+: +if name == .*$", stage.server.log(), re.M)))


def ran(*args: str) -> object:
    """A command that ends whatever happens: its application can not be imported."""

    def observe(stage: Stage) -> object:
        ended = stage.run(*args)
        wanted = [line for line in ended.stdout if line.startswith(("timeout ", "raw_env "))]
        return ended.code, wanted, [line for line in ended.stderr if "[INFO]" not in line]

    return observe


SOURCE = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b'"%s"']
"""

SCENES = (
    Scene(
        "sources watched",
        (
            Case(
                "reload_extra_files",
                "a further file changes: log lines, a new worker",
                reloaded("extra.txt", "2"),
                set=lambda stage: {"reload_extra_files": [str(stage.directory / "extra.txt")]},
            ),
            Case(
                "reload",
                "a module changes: log lines, the answer of the new code",
                reloaded("editable.py", SOURCE % "new"),
                set={"reload": True},
            ),
        ),
        # Else Gunicorn takes what it finds installed.
        base={"reload_engine": "poll"},
        app="editable:app",
        files={"editable.py": SOURCE % "old", "extra.txt": "1"},
    ),
    Scene(
        "source watcher",
        (
            Case(
                "reload_engine",
                "`poll`: a module changes",
                reloaded("editable.py", SOURCE % "new", sure=True),
                set={"reload_engine": "poll"},
                vacuous="`auto` reports the same",
            ),
        ),
        base={"reload": True},
        app="editable:app",
        files={"editable.py": SOURCE % "old"},
    ),
    Scene(
        "spew",
        (
            Case(
                "spew",
                "the traced line of an application",
                spewed,
                set={"spew": True},
            ),
        ),
    ),
    Scene(
        "check",
        (Case("check_config", "exit code and message about a broken application", ran()),),
        set_args=("--check-config",),
        files={"broken.py": "1 / 0\n"},
        app="broken:app",
        starts=False,
    ),
    Scene(
        "print",
        (Case("print_config", "the printed lines, exit code and message", ran()),),
        set_args=("--print-config",),
        files={"broken.py": "1 / 0\n"},
        app="broken:app",
        starts=False,
    ),
)
