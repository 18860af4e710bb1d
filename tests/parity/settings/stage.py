"""One server of a scene, and what cases do with it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.server import Command, Server, clean_environment, free_port
from harness.wait import until
from harness.wire import Closed, Response, Wire, ask, get
from parity import normal
from parity.settings.case import Scene, Values

PATIENCE = 3.0
"""Seconds after which something that should not happen is taken not to happen."""


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    stdout: list[str]
    stderr: list[str]


@dataclass
class Stage:
    """A scene on one server: with the settings of its cases (`given`) or without."""

    scene: Scene
    command: Command
    given: bool
    directory: Path
    server: Server = field(init=False)
    ended: threading.Event = field(default_factory=threading.Event)
    notes: dict[str, object] = field(default_factory=dict)
    """What `prepare` and `acts` leave for the observations."""

    def __post_init__(self) -> None:
        scene, given = self.scene, self.given
        self.server = Server(
            self.command, scene.app, self.directory, ("127.0.0.1", free_port()), settings={}
        )
        self.directory.mkdir(parents=True)
        for name, text in scene.files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        settings = dict(self.values(scene.base))
        if given and not scene.late:
            for case in scene.cases:
                settings.update(self.values(case.set))
        self.server.settings = settings
        self.server.config = scene.config + ("\n" + scene.set_config if given else "")
        self.server.args = [*scene.args, *(scene.set_args if given else ())]
        self.server.env = {**scene.env, **(scene.set_env if given else {})}

    def values(self, values: Values) -> Mapping[str, object]:
        return values(self) if callable(values) else values

    def start(self) -> None:
        if self.scene.prepare is not None:
            self.scene.prepare(self)
        if self.scene.starts:
            self.server.start()
            self.server.wait_ready()
        if self.scene.acts is not None:
            self.scene.acts(self)

    def end(self) -> None:
        self.server.end()
        self.ended.set()

    # What it answers

    def ask(self, raw: bytes) -> Response:
        return ask(self.server.address, raw)

    def answer(self, raw: bytes, source: str = "") -> dict[str, object]:
        """Status line, fields and body, without what is the server's own."""
        with Wire(self.server.address, source=source) as wire:
            found = normal.response(wire.send(raw).response())
        body = found["body"]
        assert isinstance(body, bytes)
        found["body"] = self.plain(body.decode("latin-1"))
        return found

    def verdict(self, raw: bytes, source: str = "") -> object:
        """The status, and the page of a refusal."""
        found = self.answer(raw, source)
        good = " 200 " in str(found["status"])
        return found["status"] if good else (found["status"], found["body"])

    def environ(self, *lines: str, source: str = "", path: str = "/") -> dict[str, object]:
        with Wire(self.server.address, source=source) as wire:
            found = wire.send(get(path, *lines)).response()
        assert found.status == 200, found
        environ: dict[str, object] = json.loads(found.body)
        return environ

    def call(self, path: str) -> object:
        """What the application answers, as JSON; or how the connection ended."""
        try:
            found = self.ask(get(path))
        except (Closed, ConnectionError):
            return "no answer"
        body = self.plain(found.body.decode())
        return json.loads(body) if found.status == 200 else found.status

    def facts(self, name: str) -> object:
        facts = self.call("/facts")
        assert isinstance(facts, dict), facts
        return facts[name]

    # What it leaves behind

    def plain(self, words: str) -> str:
        return normal.text(words, str(self.directory))

    def lines(self, pattern: str, path: str = "") -> list[str]:
        """Lines of the error log, or of another file, that `pattern` is found in."""
        words = (self.directory / path).read_text() if path else self.server.log()
        found = normal.log_lines(words, str(self.directory))
        return [line for line in found if re.search(pattern, line)]

    def waited(self, condition: Callable[[], object], sure: bool = False) -> bool:
        """Whether `condition` comes true. It has long to do so with the settings of the cases, and
        without them if it is `sure` to."""
        with contextlib.suppress(AssertionError):
            until(condition, "", seconds=20 if self.given or sure else PATIENCE)
            return True
        return False

    def wait_line(self, pattern: str, path: str = "", sure: bool = False) -> list[str]:
        """The lines with `pattern`, when there are some or will be none."""
        file = self.directory / path if path else self.server.log_path
        self.waited(lambda: file.exists() and self.lines(pattern, path), sure)
        return self.lines(pattern, path) if file.exists() else []

    def run(self, *args: str, app: str | None = None, seconds: float = 40) -> Ended:
        """Runs the command with the scene's config file until it ends by itself."""
        (self.directory / "gunicorn.conf.py").write_text(self.server._config_file())
        process = subprocess.Popen(
            [*self.command.argv, *self.server.args, *args, *filter(None, [app or self.scene.app])],
            cwd=self.directory,
            env=clean_environment(self.server.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        directory = str(self.directory)
        return Ended(
            process.returncode,
            normal.log_lines(stdout, directory),
            normal.essence(stderr, directory),
        )
