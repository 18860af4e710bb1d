"""A project and its own files, run as its authors say: the command `gunicorn` decides who serves.

`gunicorn` is a script in the PATH of the deployment, as pip would install it; for rgunicorn it runs
rgunicorn. That, and nothing else, is what a team changes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.console import install
from harness.server import Address, Command, children, clean_environment, free_port
from harness.wait import until
from harness.wire import ask, get
from parity import normal

HERE = Path(__file__).parent
UNSTEADY = (
    # Ours are without a socket unless one is asked for: difference control-socket.
    "Control socket listening at",
    # Gunicorn's master repeats a TERM each second, and may meet a process that is just ending.
    "was sent SIGTERM!",
)
"""Log lines that are there or not."""
TIME = re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}|[\d-]{10} [\d:]{8},\d{3})\]")
"""Of an access line, and of a line of the logging module."""

Record = dict[str, object]
"""What was seen of one server."""


@dataclass
class Deployment:
    """A copy of tests/realconfigs/NAME with a server running in it."""

    name: str
    command: Command
    directory: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """`{port}` stands for the port."""
    prefix: Sequence[str] = ()
    """A program and its arguments that starts the server."""
    fds: Sequence[int] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Deployment:
        """Runs the project's start script, or the `web` line of its Procfile."""
        shutil.copytree(HERE / self.name, self.directory, dirs_exist_ok=True)
        env = clean_environment(install(self.directory, self.command, "gunicorn"))
        env |= {"PYTHONPATH": "", "HOME": str(self.directory), "HOST": "127.0.0.1"}
        env["PORT"] = str(self.port)
        env |= {name: value.format(port=self.port) for name, value in self.env.items()}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *self.argv()],
                cwd=self.directory,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self.fds,
            )
        return self

    def argv(self) -> list[str]:
        """What an operator, or the platform, would run."""
        if (self.directory / "Procfile").exists():
            (line,) = (self.directory / "Procfile").read_text().splitlines()
            return ["sh", "-c", "exec " + line.removeprefix("web: ")]
        for unit in self.directory.glob("*.service"):
            (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
            return shlex.split(line)
        script = (self.directory / "start").read_text()
        return ["bash" if "bash" in script.splitlines()[0] else "sh", "start"]

    @property
    def log_path(self) -> Path:
        return self.directory / "server.log"

    @property
    def address(self) -> Address:
        return ("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="backslashreplace")

    def workers(self) -> list[int]:
        return children(self.pid)

    def boots(self) -> int:
        """How many workers have been booted so far."""
        return self.log().count("Booting worker")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        until(condition, f"{what}: {self.command.name}", show=self.log)

    def wait_log(self, text: str, count: int = 1) -> None:
        self.wait(lambda: self.log().count(text) >= count, f"{count} × {text!r}")

    def wait_workers(self, count: int, ready: str = "gunicorn: worker") -> None:
        """Waits until there are `count` workers and their titles begin with `ready`."""

        def there() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log()
            titles = [title(pid) for pid in self.workers()]
            return len(titles) == count and all(text.startswith(ready) for text in titles)

        self.wait(there, f"{count} workers")

    def titles(self) -> list[str]:
        return [title(self.pid), *sorted(title(pid) for pid in self.workers())]

    def answer(self, raw: bytes, address: Address | None = None) -> Record:
        """One response, without what differs from run to run."""
        found = normal.response(ask(address or self.address, raw))
        body = found["body"]
        assert isinstance(body, bytes)
        return {**found, "body": self.normal(body.decode())}

    def get(self, path: str, *headers: str) -> Record:
        return self.answer(get(path, *headers))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def reload(self, workers: int) -> None:
        """HUP, and the new workers are there."""
        before = set(self.workers())
        self.signal(signal.SIGHUP)
        self.wait(lambda: not before & set(self.workers()), "the old workers to leave")
        self.wait_workers(workers)

    def exit_code(self) -> int:
        assert self.process is not None
        return self.process.wait(60)

    def stop(self) -> int:
        """TERM; the exit code. Nothing of the server is left."""
        workers = self.workers()
        self.signal(signal.SIGTERM)
        code = self.exit_code()
        left = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        assert not left, f"workers {left} outlived their master\n{self.log()}"
        return code

    def normal(self, words: str) -> str:
        # In brackets it is the pid of somebody in a log line, by chance the same number.
        port = re.compile(rf"(?<![\[\d]){self.port}(?!\d)")
        text = port.sub("PORT", normal.text(words, str(self.directory)))
        return TIME.sub("[TIME]", text)

    def log_lines(self) -> list[str]:
        """The log's lines, sorted: several processes write it."""
        lines = normal.log_lines(self.normal(self.log()))
        # Difference oom-counted: the answer to the question.
        lines = [re.sub(r"(Perhaps out of memory\?) \(.*\)$", r"\1", line) for line in lines]
        return sorted(line for line in lines if not any(words in line for words in UNSTEADY))

    def file(self, name: str) -> str | None:
        """What is in a file of the deployment; None when it is gone."""
        path = self.directory / name
        return path.read_text().replace(str(self.pid), "PID") if path.exists() else None

    def end(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


def title(pid: int) -> str:
    """What process lists show."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


@contextlib.contextmanager
def deployed(
    name: str, root: Path, commands: Sequence[Command], **fields: object
) -> Iterator[list[Deployment]]:
    """The project on each server, started together."""
    made = [
        Deployment(name, command, root / f"{command.name}-{name}", **fields)  # type: ignore[arg-type]
        for command in commands
    ]
    try:
        yield [deployment.start() for deployment in made]
    finally:
        for deployment in made:
            deployment.end()
