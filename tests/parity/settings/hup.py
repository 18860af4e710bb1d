"""What a HUP takes over: the servers start without the settings, the file changes, HUP."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from harness.wait import until
from harness.wire import ask, get
from parity.settings.case import Case, Scene
from parity.settings.parsing import STRANGER
from parity.settings.server import SHOW_WORKER, kept
from parity.settings.stage import Stage


def reload(stage: Stage) -> None:
    """HUP with the changed file; without the settings, with the same file."""
    server = stage.server
    stage.ask(get("/hello"))
    before = set(server.workers())
    count = 1
    if stage.given:
        settings = dict(server.settings)
        for case in stage.scene.cases:
            settings.update(stage.values(case.set))
        server.settings = settings
        count = int(str(settings.get("workers", 1)))
        (stage.directory / "gunicorn.conf.py").write_text(server._config_file())
    server.send_signal(signal.SIGHUP)
    until(
        lambda: len(now := set(server.workers())) == count and not now & before,
        f"{count} new workers",
        show=server.log,
    )


def access_line(stage: Stage) -> object:
    stage.ask(get("/one-line"))
    return [
        re.sub(r"\[\d\d/.*?\]", "[DATE]", line) for line in stage.wait_line("one-line", "a.log")
    ]


def old_pidfile(stage: Stage) -> object:
    names = ("old.pid", "new.pid")
    return [(stage.directory / name).exists() for name in names]


def master_title(stage: Stage) -> object:
    return stage.facts("title"), stage.plain(
        Path(f"/proc/{stage.server.pid}/cmdline").read_text().strip("\0 ")
    )


def debug_lines(stage: Stage) -> object:
    """Whether the master speaks at debug level after it."""
    stage.server.send_signal(signal.SIGWINCH)
    stage.ask(get("/hello"))
    # The error log of the same scene.
    return bool(stage.wait_line("SIGWINCH ignored", "e.log"))


def moved(stage: Stage) -> object:
    """Who answers where. That an address which stays is kept is row `reload-addresses`."""
    path = str(stage.directory / "second.sock")
    there = Path(path).exists() and ask(path, get("/hello")).status
    try:
        here: object = stage.ask(get("/hello")).status
    except ConnectionError:
        here = "nobody"
    return there, here, stage.lines("Listening at")


SCENES = (
    Scene(
        "HUP",
        (
            Case(
                "workers",
                "HUP: their number",
                lambda stage: (len(stage.server.workers()), stage.environ()["wsgi.multiprocess"]),
                set={"workers": 2},
                short="HUP",
            ),
            Case(
                "raw_env",
                "HUP: the environment of new workers, what is no longer there too",
                lambda stage: [
                    dict(stage.facts("env")).get(name)  # type: ignore[call-overload]
                    for name in ("OLD", "PROBE")
                ],
                set={"raw_env": ["PROBE=1"]},
                short="HUP",
            ),
            Case(
                "proc_name",
                "HUP: titles",
                master_title,
                set={"proc_name": "parity"},
                short="HUP",
            ),
            Case(
                "chdir",
                "HUP: the worker's directory",
                lambda stage: stage.facts("cwd"),
                set=lambda stage: {"chdir": str(stage.directory / "sub")},
                short="HUP",
            ),
            Case(
                "accesslog",
                "HUP: lines of the new file",
                access_line,
                set=lambda stage: {"accesslog": str(stage.directory / "a.log")},
                short="HUP",
            ),
            Case(
                "access_log_format",
                "HUP: lines in the new format",
                access_line,
                set={"access_log_format": "%(m)s %(U)s"},
                short="HUP",
            ),
            Case(
                "limit_request_line",
                "HUP: a request line over it",
                lambda stage: stage.verdict(get("/" + "a" * 200)),
                set={"limit_request_line": 150},
                short="HUP",
            ),
            Case(
                "forwarded_allow_ips",
                "HUP: `wsgi.url_scheme`",
                lambda stage: stage.environ("X-Forwarded-Proto: https", source=STRANGER)[
                    "wsgi.url_scheme"
                ],
                set={"forwarded_allow_ips": STRANGER},
                short="HUP",
            ),
            Case(
                "max_requests",
                "HUP: what a new worker may run",
                lambda stage: stage.facts("max_requests") == 77,
                set={"max_requests": 77},
                short="HUP",
            ),
            Case(
                "pidfile",
                "HUP: the old and the new one",
                old_pidfile,
                set=lambda stage: {"pidfile": str(stage.directory / "new.pid")},
                short="HUP",
            ),
            Case(
                "pythonpath",
                "HUP: `sys.path` of new workers",
                lambda stage: "DIR/lib" in stage.facts("path"),  # type: ignore[operator]
                set=lambda stage: {"pythonpath": f"{stage.directory}/lib"},
                short="HUP",
                vacuous="Gunicorn reads it at the start only",
            ),
        ),
        base=lambda stage: {
            "raw_env": ["OLD=1"],
            "pidfile": str(stage.directory / "old.pid"),
        },
        config=SHOW_WORKER,
        files=dict.fromkeys(("sub/x", "lib/x"), ""),
        acts=reload,
        late=True,
    ),
    Scene(
        "HUP with another worker class",
        (
            Case(
                "threads",
                "HUP: `wsgi.multithread`, `Connection`",
                lambda stage: (stage.environ()["wsgi.multithread"], kept(stage)),
                set={"threads": 2},
                short="HUP",
            ),
            Case(
                "loglevel",
                "HUP: the master's debug lines",
                debug_lines,
                set={"loglevel": "debug"},
                short="HUP",
            ),
            Case(
                "preload_app",
                "HUP: which process imported the application",
                lambda stage: stage.facts("imported"),
                set={"preload_app": True},
                short="HUP",
            ),
            Case(
                "errorlog",
                "HUP: lines of the new file",
                lambda stage: (
                    stage.wait_line("Booting worker", "e.log"),
                    (stage.directory / "e.log").exists(),
                ),
                set=lambda stage: {"errorlog": str(stage.directory / "e.log")},
                short="HUP",
            ),
        ),
        acts=reload,
        late=True,
    ),
    Scene(
        "HUP with another address",
        (
            Case(
                "bind",
                "HUP: an answer on the new address, the log lines",
                moved,
                set=lambda stage: {"bind": f"unix:{stage.directory}/second.sock"},
                short="HUP",
            ),
        ),
        acts=reload,
        late=True,
    ),
)
