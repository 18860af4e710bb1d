"""A server under test: started in a session of its own, watched, and always ended by its pid.

Which server it is comes from `RGUNICORN_UNDER_TEST`, a command such as
`/venv/bin/python -m gunicorn`; without it `python -m rgunicorn` of the interpreter pytest runs in.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .mode import DEFAULT, Mode
from .tls import TLSAddress
from .wait import until

TESTS = Path(__file__).resolve().parent.parent
APPS = TESTS / "apps"

Address = tuple[str, int] | str
"""Where a server listens: `(host, port)` or the path of a unix socket."""

# Each of these would change the defaults of the server under test.
FOREIGN_ENV = (
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "GUNICORN_FD",
    "GUNICORN_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    # `make test ARGS=...` is not meant for a make that a test starts.
    "MAKEFLAGS",
    "MAKEOVERRIDES",
    "MFLAGS",
    "NOTIFY_SOCKET",
    "PORT",
    "SENDFILE",
    "WEB_CONCURRENCY",
)


@dataclass(frozen=True)
class Command:
    """How to start one of the two servers."""

    argv: tuple[str, ...]
    name: str
    """`gunicorn` or `rgunicorn`."""

    @property
    def python(self) -> str:
        return self.argv[0]

    @property
    def is_gunicorn(self) -> bool:
        return self.name == "gunicorn"


def under_test() -> Command:
    """The server the suite is about."""
    spelled = os.environ.get("RGUNICORN_UNDER_TEST", "")
    argv = tuple(shlex.split(spelled)) or (sys.executable, "-m", "rgunicorn")
    return Command(argv, Path(argv[-1]).name)


def parity_gunicorn() -> Command | None:
    """Real Gunicorn for the parity suite, or None when `RGUNICORN_PARITY_PYTHON` is not set."""
    python = os.environ.get("RGUNICORN_PARITY_PYTHON")
    return Command((python, "-m", "gunicorn"), "gunicorn") if python else None


def thirdparty(server: str) -> Command | None:
    """`gunicorn` or `rgunicorn` beside the packages of tests/requirements-thirdparty.txt, or None
    when `RGUNICORN_THIRDPARTY_PYTHON` is not set."""
    python = os.environ.get("RGUNICORN_THIRDPARTY_PYTHON")
    return Command((python, "-m", server), server) if python else None


def free_port() -> int:
    """A port nobody listens on, below the range the kernel takes for outgoing connections.

    Each of pytest-xdist's processes has a range of its own, and the last ports that were given out
    in it are not given out again: between this look and the server's bind nobody else takes the
    port, though a process starts several servers at once.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % PROCESSES
    width = 12000 // PROCESSES
    for _ in range(200):
        port = 20000 + number * width + random.randrange(width)
        with LOCK, socket.socket() as probe:
            if port in GIVEN_OUT:
                continue
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                GIVEN_OUT.append(port)
                return port
    raise RuntimeError("no free port between 20000 and 32000")


GIVEN_OUT: collections.deque[int] = collections.deque(maxlen=500)
"""Ports that a server may be about to bind."""
LOCK = threading.Lock()

PROCESSES = 8
"""How many processes of pytest-xdist have ports of their own."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what configures a server, with the fixture apps importable."""
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN_ENV}
    env["PYTHONPATH"] = str(APPS)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env | dict(extra or {})


# What `worker_keeper` has beside a worker, as the kernel calls it.
KEEPER = "(rgunicorn-keep)"


def children(pid: int) -> list[int]:
    """Live child pids of `pid`, ascending. Zombies and keepers do not count."""
    return _children(pid, keepers=False)


def keepers(pid: int) -> list[int]:
    """The same of keepers."""
    return _children(pid, keepers=True)


def _children(pid: int, keepers: bool) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The command name may hold blanks and parentheses: fields start after the last one.
            text = Path(f"/proc/{entry}/stat").read_text()
            stat = text.rpartition(")")[2].split()
            if int(stat[1]) == pid and stat[0] != "Z" and (KEEPER in text) == keepers:
                found.append(int(entry))
    return sorted(found)


@dataclass
class Server:
    """One master process with its workers, its directory and its log.

    What `mode` asks for and `settings` become `gunicorn.conf.py` in the server's working directory,
    followed by `config` verbatim; `args` go on the command line. With `cwd`, a directory that has a
    `gunicorn.conf.py` of its own, `mode` goes there too. stdout and stderr both end in `log_path`.
    """

    command: Command
    app: str | None
    directory: Path
    address: Address
    mode: Mode = DEFAULT
    settings: Mapping[str, object] = field(default_factory=dict)
    config: str = ""
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None

    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.directory / "server.log"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    @property
    def bind(self) -> str:
        if isinstance(self.address, str):
            return f"unix:{self.address}"
        return f"{self.address[0]}:{self.address[1]}"

    @property
    def url(self) -> str:
        assert not isinstance(self.address, str), "a unix socket has no URL"
        scheme = "https" if isinstance(self.address, TLSAddress) else "http"
        return f"{scheme}://{self.address[0]}:{self.address[1]}"

    def start(self) -> Server:
        """Starts the process and returns at once; see `wait_ready`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        argv = [*self.command.argv, *self.args]
        if self.cwd is None:
            (self.directory / "gunicorn.conf.py").write_text(self._config_file())
        else:
            argv += ["-b", self.bind, "--no-control-socket", *self.mode.args]
        if self.app is not None:
            argv.append(self.app)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                cwd=self.cwd or self.directory,
                env=clean_environment(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def wait_ready(self, workers: int | None = None) -> Server:
        """Waits until somebody accepts connections and `workers` children exist."""
        count = workers if workers is not None else int(str(self.settings.get("workers", 1)))
        until(self._accepts, "the server to listen", show=self.log)
        until(lambda: len(self.workers()) >= count, f"{count} workers", show=self.log)
        return self

    def workers(self) -> list[int]:
        """Pids of the live workers."""
        return children(self.pid)

    def log(self) -> str:
        """All the server wrote so far."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(errors="backslashreplace")

    def wait_log(self, text: str, count: int = 1) -> str:
        """Waits until the log holds `text` at least `count` times; returns the log."""
        until(lambda: self.log().count(text) >= count, f"{count} × {text!r}", show=self.log)
        return self.log()

    def send_signal(self, number: signal.Signals) -> None:
        """Sends `number` to the master."""
        os.kill(self.pid, number)

    def wait_exit(self, timeout: float = 30) -> int:
        """The master's exit code."""
        assert self.process is not None
        return self.process.wait(timeout)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def assert_clean_exit(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Stops the server with `number`: it leaves with 0 and takes its workers along."""
        workers = self.workers()
        self.send_signal(number)
        code = self.wait_exit()
        assert code == 0, f"exit code {code}\n{self.log()}"

        def left() -> list[int]:
            return [pid for pid in workers if Path(f"/proc/{pid}").exists()]

        if self.command.is_gunicorn:
            # Its master kills who is late, and does not wait for the end of it.
            until(lambda: not left(), "the last workers to end", show=self.log)
        assert not left(), f"workers {left()} outlived their master\n{self.log()}"
        if self.command.name == "rgunicorn":
            assert "Exception ignored in: " not in self.log(), self.log()
        return self.log()

    def end(self) -> None:
        """Ends whatever is left of the server's session. Never fails, never waits for long."""
        if self.process is None:
            return
        if self.running():
            self.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        # start_new_session made the master's pid the process group of all it forked.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)

    def _accepts(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the server left with {code} before it listened\n{self.log()}"
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with socket.socket(family) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.address)
            except OSError:
                return False
        return True

    def _config_file(self) -> str:
        settings = {
            "bind": self.bind,
            "control_socket_disable": True,
            **self.mode.settings,
            **self.settings,
        }
        lines = [f"{name} = {value!r}" for name, value in settings.items()]
        return "\n".join([*lines, "", self.config, ""])


LIVE: list[Server] = []
"""Servers of the running tests: what a failing test dumps."""


Spawn = Callable[..., Server]
"""`spawn(app, mode=DEFAULT, ready=True, **fields of Server)`: what the fixtures hand out."""

Kitchen = Callable[..., Server]
"""`kitchen(env={...}, **settings)`: a server with every little app, shared by a module's tests."""


@contextlib.contextmanager
def spawner(root: Path, default: Command, default_mode: Mode = DEFAULT) -> Iterator[Spawn]:
    """A function that starts servers below `root`. Afterwards all of them are ended, together."""
    servers: list[Server] = []

    def spawn(
        app: str | None,
        mode: Mode = default_mode,
        ready: bool = True,
        command: Command = default,
        **fields: object,
    ) -> Server:
        directory = root / f"{command.name}-{len(servers) + 1}"
        directory.mkdir(parents=True)
        address: Address = ("127.0.0.1", free_port())
        if mode.transport == "unix":
            address = str(directory / "s.sock")
        elif mode.transport == "tls":
            address = TLSAddress(("127.0.0.1", free_port()))
        server = Server(command, app, directory, address, mode, **fields)  # type: ignore[arg-type]
        servers.append(server)
        LIVE.append(server)
        server.start()
        return server.wait_ready() if ready else server

    try:
        yield spawn
    finally:
        for server in servers:
            if server.running():
                server.send_signal(signal.SIGTERM)
        for server in servers:
            server.end()
            LIVE.remove(server)
