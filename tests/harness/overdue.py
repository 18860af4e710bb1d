"""What `tests/deadlines` and `tests/thirdparty/test_deadlines.py` share: a server whose
applications wait at gates (`apps/deadlines.py`), and what its log says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .server import Server, Spawn
from .wait import until
from .wire import Wire, get

TIMEOUT = 1.5
"""`request_timeout` of the servers here: no short request may take as long on a busy machine."""


class Gates:
    """A server with `request_timeout`, and the files that its requests wait for."""

    def __init__(self, spawn: Spawn, directory: Path, **fields: object) -> None:
        self.directory = directory
        env = {"GATE": str(directory), **fields.pop("env", {})}  # type: ignore[dict-item]
        settings = {
            "workers": 1,
            "accesslog": "-",
            "graceful_timeout": 60,
            **fields.pop("settings", {}),  # type: ignore[dict-item]
        }
        app = fields.pop("app", "deadlines:app")
        self.server: Server = spawn(app, env=env, settings=settings, **fields)

    def ask(self, path: str) -> Wire:
        """Sends a request and does not wait for the answer."""
        return Wire(self.server.address).send(get(path))

    def open(self, name: str) -> None:
        (self.directory / name).touch()

    def wait(self, name: str) -> None:
        until((self.directory / name).exists, f"the gate {name}", show=self.server.log)

    def log(self) -> str:
        return self.server.log()

    def access_lines(self, path: str) -> list[str]:
        """Status codes of the access lines for `path`."""
        return re.findall(rf'"GET {re.escape(path)} HTTP/1.1" (\d+) ', self.log())

    def reports(self, path: str) -> list[str]:
        """The lines that say that the request ran into its limit."""
        return [
            line
            for line in self.log().splitlines()
            if "[ERROR]" in line and "REQUEST TIMEOUT: GET" in line and f" {path} ran for" in line
        ]

    def until(self, condition: Callable[[], object], what: str) -> None:
        until(condition, what, show=self.server.log)

    def wait_report(self, path: str) -> str:
        """Waits for that line, with the access line that follows it."""
        self.until(lambda: self.reports(path), f"the report of {path}")
        target = path if "?" in path else rf"{path}"
        self.until(lambda: re.search(rf"GET {target}\S* HTTP/1.1\" 504", self.log()), "the line")
        return self.reports(path)[0]
