"""Processes, directories, identity, files; the daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from harness.server import clean_environment
from harness.wait import until
from harness.wire import Wire, get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

BIG = 300_000
OWNED = ("accesslog", "errorlog", "pidfile")
"""Settings, and the names of their files."""


def pidfile(stage: Stage) -> object:
    path = stage.directory / "server.pid"
    if not path.exists():
        return None
    return path.read_text() == f"{stage.server.pid}\n", oct(path.stat().st_mode)


def heartbeat(stage: Stage) -> object:
    """Whether a worker holds an unlinked file in the directory."""
    (worker,) = stage.server.workers()
    names = []
    for entry in (
        *Path(f"/proc/{worker}/fd").iterdir(),
        *Path(f"/proc/{worker}/map_files").iterdir(),
    ):
        with contextlib.suppress(OSError):
            names.append(os.readlink(entry))
    return any(name.startswith(f"{stage.directory}/beats/") for name in names)


def upload(stage: Stage) -> object:
    """Where the application sees a file while it reads a body."""
    with Wire(stage.server.address) as wire:
        wire.send(get("/body", f"Content-Length: {BIG}", method="POST") + b"x" * BIG)
        names = stage.plain(wire.response().body.decode())
    return "DIR/uploads/" in names


def reads(stage: Stage) -> object:
    """A file of the application, and whether somebody read from it in Python."""
    found = stage.ask(get("/file"))
    return len(found.body) > 1000, stage.call("/reads") != 0


def title(stage: Stage) -> object:
    return stage.facts("title"), stage.plain(
        Path(f"/proc/{stage.server.pid}/cmdline").read_text().strip("\0 ")
    )


def owners(stage: Stage, field: str) -> object:
    return [getattr((stage.directory / name).stat(), field) for name in OWNED]


def chdir(stage: Stage) -> object:
    facts = stage.call("/facts")
    assert isinstance(facts, dict)
    return facts["cwd"], "DIR/sub" in facts["path"]


def background(stage: Stage) -> None:
    """Starts the command, and says what became of it until it listens."""
    stage.server.config += f"\npidfile = {str(stage.directory / 'daemon.pid')!r}\n"
    (stage.directory / "gunicorn.conf.py").write_text(stage.server._config_file())
    with (stage.directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [*stage.command.argv, *stage.server.args, "probe:app"],
            cwd=stage.directory,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    written = stage.directory / "daemon.pid"
    master = None
    try:
        until(lambda: written.exists() and written.read_text().strip(), "a pidfile")
        master = int(written.read_text())
        until(lambda: answers(stage), "an answer")
        links = [os.readlink(f"/proc/{master}/fd/{number}") for number in range(3)]
        stage.notes["daemon"] = {
            "the command has ended": process.wait(20) if master != process.pid else None,
            "session of its own": os.getsid(master) != process.pid,
            "stdin": links[0],
        }
        stage.notes["output"] = [stage.plain(link) for link in links[1:]]
    finally:
        if master is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(master, signal.SIGTERM)
            stage.waited(lambda: not written.exists(), sure=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(stage: Stage) -> bool:
    with contextlib.suppress(OSError, AssertionError):
        return stage.call("/hello") != "no answer"
    return False


SCENES = (
    Scene(
        "process",
        (
            Case(
                "chdir",
                "the worker's directory, `sys.path`",
                chdir,
                set=lambda stage: {"chdir": str(stage.directory / "sub")},
            ),
            Case(
                "raw_env",
                "a variable in the worker's environment",
                lambda stage: dict(stage.facts("env")).get("PROBE"),  # type: ignore[call-overload]
                set={"raw_env": ["PROBE=a=b"]},
            ),
            Case(
                "pidfile",
                "its content and mode",
                pidfile,
                set=lambda stage: {"pidfile": str(stage.directory / "server.pid")},
            ),
            Case(
                "worker_tmp_dir",
                "where the unlinked file of the heartbeat lies",
                heartbeat,
                set=lambda stage: {"worker_tmp_dir": str(stage.directory / "beats")},
            ),
            Case(
                "preload_app",
                "which process imported the application",
                lambda stage: stage.facts("imported"),
                set={"preload_app": True},
            ),
            Case(
                "sendfile",
                "whether Python reads the file that `wsgi.file_wrapper` sends",
                reads,
                set={"sendfile": False},
            ),
            Case(
                "proc_name",
                "process titles of master and worker",
                title,
                set={"proc_name": "parity"},
            ),
            Case(
                "pythonpath",
                "`sys.path` of the worker",
                lambda stage: "DIR/lib" in stage.facts("path"),  # type: ignore[operator]
                set=lambda stage: {"pythonpath": f"{stage.directory}/lib,{stage.directory}/two"},
            ),
            Case(
                "tmp_upload_dir",
                "where a large request body waits",
                upload,
                set=lambda stage: {"tmp_upload_dir": str(stage.directory / "uploads")},
                vacuous="Gunicorn reads this setting nowhere",
                difference="body-first",
                ours=True,
            ),
        ),
        files=dict.fromkeys(("sub/x", "beats/x", "lib/x", "two/x", "uploads/x"), ""),
    ),
    Scene(
        "name of the application",
        (
            Case(
                "default_proc_name",
                "process titles of master and worker",
                title,
                set={"default_proc_name": "fallback"},
            ),
        ),
    ),
    Scene(
        "identity",
        (
            Case(
                "user",
                "user ids of the worker; owners of its log files and of the pidfile",
                lambda stage: (stage.facts("ids")[0], owners(stage, "st_uid")),  # type: ignore[index]
                set={"user": "nobody"},
            ),
            Case(
                "group",
                "the same for the group",
                lambda stage: (stage.facts("ids")[1], owners(stage, "st_gid")),  # type: ignore[index]
                set={"group": "nogroup"},
            ),
            Case(
                "umask",
                "mode and owner of a unix listener",
                lambda stage: (
                    (stage.directory / "s.sock").stat().st_mode & 0o777,
                    (stage.directory / "s.sock").stat().st_uid,
                ),
                set={"umask": 0o27},
            ),
        ),
        base=lambda stage: {
            "preload_app": True,
            "bind": [stage.server.bind, f"unix:{stage.directory}/s.sock"],
            **{name: str(stage.directory / name) for name in OWNED},
        },
        root=True,
    ),
    Scene(
        "supplementary groups",
        (
            Case(
                "initgroups",
                "groups of the worker: the user's, not root's",
                lambda stage: stage.facts("ids")[2],  # type: ignore[index]
                set={"initgroups": True},
            ),
        ),
        base={"preload_app": True, "user": "www-data", "group": "www-data"},
        root=True,
    ),
    Scene(
        "daemon",
        (
            Case(
                "daemon",
                "the command's end, the session, stdin",
                lambda stage: stage.notes["daemon"],
                set={"daemon": True},
            ),
        ),
        acts=background,
        starts=False,
    ),
    Scene(
        "daemon with its output",
        (
            Case(
                "enable_stdio_inheritance",
                "where stdout and stderr of a daemon lead to",
                lambda stage: stage.notes["output"],
                set={"enable_stdio_inheritance": True},
            ),
        ),
        base={"daemon": True},
        acts=background,
        starts=False,
    ),
)
