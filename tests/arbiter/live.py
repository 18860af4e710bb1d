"""`Live`: a server whose application and configuration a test edits."""

from __future__ import annotations

import signal
from pathlib import Path

from harness.server import Server
from harness.wait import until
from harness.wire import ask, get

# Of reloads that get nowhere, the next one takes the place; here from the first moment on.
IMPATIENT = "import rgunicorn.reload\nrgunicorn.reload._PATIENCE = 0\n"
FAILED = "[ERROR] Reload failed, the old configuration stays in force"
STAYED = FAILED + " and the old workers serve on: worker (pid:"

APP = """
import os, sys, time
{top}
def application(environ, start_response):
    body = "{word} {{}} {{}}".format(os.getpid(), os.environ.get("TEXT")).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
def make():
    return application
"""


class Live:
    """What happens to it is counted, so that each step waits for its own lines of the log.

    Args:
        directory: where the application lives; the server has to `chdir` there.
    """

    server: Server

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.gate = directory / "open"
        self.hups = 0
        self.failures = 0

    def write(self, word: str, top: str = "") -> None:
        """An application that answers `word`, its pid, and the variable TEXT."""
        # At once: a worker that boots meanwhile must not read half of it.
        new = self.directory / "live.py.new"
        new.write_text(APP.format(word=word, top=top))
        new.replace(self.directory / "live.py")

    def write_gated(self, word: str, after: str = "pass") -> None:
        """One whose import waits until `gate` exists."""
        # One write: print() makes two, and others write to the same file.
        wait = f"os.write(1, b'importing\\n')\nwhile not os.path.exists({str(self.gate)!r}):\n"
        self.write(word, wait + f"    time.sleep(0.02)\n{after}")

    def configure(self, text: str) -> None:
        """Adds lines to the configuration."""
        with (self.server.directory / "gunicorn.conf.py").open("a") as file:
            file.write(text + "\n")

    def hup(self) -> None:
        self.hups += 1
        self.server.send_signal(signal.SIGHUP)
        self.server.wait_log("Hang up: Master", self.hups)

    def importing(self, times: int = 1) -> None:
        """Waits until so many workers have come to the gate."""
        self.server.wait_log("importing\n", times)

    def answer(self) -> list[str]:
        """Word, pid, TEXT."""
        return ask(self.server.address, get("/")).body.decode().split()

    def failed(self) -> str:
        """Waits until one more reload has failed; returns the log."""
        self.failures += 1
        log = self.server.wait_log(FAILED, self.failures)
        assert log.count(FAILED) == self.failures, log
        return log

    def replaced(self, old: list[int], count: int) -> list[int]:
        """Waits until there are `count` workers and none of `old`."""

        def now() -> bool:
            workers = self.server.workers()
            return len(workers) == count and not set(old) & set(workers)

        until(now, f"{count} new workers", show=self.server.log)
        return self.server.workers()
